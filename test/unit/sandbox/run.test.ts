import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { runSandbox } from "../../../src/sandbox/run.ts";

/** Does what a printed line tells curl to do: the shell reads it, the call is made here, so that no curl is needed. */
async function runCurl(line: string): Promise<number> {
  const [command = ""] = line.split(" > ");
  const shell = await promisify(execFile)("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; ${command}`]);
  const words = shell.stdout.split("\0").slice(0, -1);
  const url = words.pop() ?? "";
  const options = new Map<string, string>();
  const headers: Record<string, string> = {};
  while (words.length > 0) {
    const [option = "", value = ""] = words.splice(0, 2);
    const [name = "", text = ""] = value.split(": ");
    if (option === "-H") headers[name] = text;
    else options.set(option, value);
  }
  const body = options.get("-d");
  const method = options.get("-X") ?? (body === undefined ? "GET" : "POST");
  const caFile = options.get("--cacert");
  const calling =
    caFile === undefined
      ? httpRequest(url, { method, headers, agent: false })
      : request(url, { method, headers, agent: false, ca: await readFile(caFile) });
  calling.end(body);
  const [response] = await once(calling, "response");
  response.resume();
  return response.statusCode;
}

describe("running the sandbox for a person", () => {
  let folder: string;
  let lines: string[];
  let stop: AbortController;
  let running: Promise<void> | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "run-sandbox-"));
    lines = [];
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await running?.catch(() => {});
    await rm(folder, { recursive: true, force: true });
  });

  async function run(directory?: string): Promise<Record<string, string>> {
    running = runSandbox({
      write: (line) => lines.push(line),
      signal: stop.signal,
      ...(directory === undefined ? {} : { directory }),
    });
    // The first one loads the library that makes certificates, which takes a busy machine more than a second.
    const started = vi.waitFor(() => expect(lines.at(-1)).toMatch(/Ctrl-C/), { timeout: 15_000 });
    await Promise.race([running, started]);
    return Object.fromEntries(
      lines
        .filter((line) => line.startsWith("export "))
        .map((line) => line.slice("export ".length).split("=")),
    );
  }

  it("prints variables that lead to the API, and a token that it takes", async () => {
    const { PRESTO_URL = "", PRESTO_CA_FILE = "", PRESTO_TOKEN_FILE = "" } = await run();
    const token = await readFile(PRESTO_TOKEN_FILE, "utf8");
    const probe = request(`${PRESTO_URL}/api/institutions/v1/wallet/transaction/TRX1`, {
      ca: await readFile(PRESTO_CA_FILE),
      agent: false,
      headers: { authorization: `Bearer ${token.trimEnd()}` },
    });
    probe.end();
    const [response] = await once(probe, "response");
    response.resume();
    expect(response.statusCode).toBe(404);
    expect(lines.join("\n")).not.toContain(token.trimEnd());
  });

  it("its files are for the owner only, and gone at the end, with the folder", async () => {
    const { PRESTO_CA_FILE = "", PRESTO_TOKEN_FILE = "" } = await run();
    const temporary = dirname(PRESTO_TOKEN_FILE);
    const modes = await Promise.all(
      [temporary, PRESTO_CA_FILE, PRESTO_TOKEN_FILE].map(async (path) => (await stat(path)).mode & 0o777),
    );
    expect(modes).toEqual([0o700, 0o600, 0o600]);
    stop.abort();
    await running;
    expect(existsSync(temporary)).toBe(false);
  });

  it("makes the folder that it is given, and removes what it made", async () => {
    const directory = join(folder, "one", "two");
    await run(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await readdir(directory)).toHaveLength(2);
    stop.abort();
    await running;
    expect(await readdir(folder)).toEqual([]);
  });

  it("keeps a folder that was there, and what others put into it", async () => {
    await mkdir(join(folder, "mine"));
    await run(join(folder, "mine"));
    await writeFile(join(folder, "mine", "note"), "");
    stop.abort();
    await running;
    expect(await readdir(join(folder, "mine"))).toEqual(["note"]);
  });

  it("replaces the files of a killed run, and does not write through a link", async () => {
    const elsewhere = join(folder, "elsewhere");
    await writeFile(elsewhere, "kept");
    await symlink(elsewhere, join(folder, "sandbox-token"));
    await writeFile(join(folder, "sandbox-ca.pem"), "old", { mode: 0o644 });
    const { PRESTO_CA_FILE = "" } = await run(folder);
    expect(await readFile(elsewhere, "utf8")).toBe("kept");
    expect((await stat(PRESTO_CA_FILE)).mode & 0o777).toBe(0o600);
  });

  it("every curl line for the sandbox works as it is printed, also in a folder with an odd name", async () => {
    await run(join(folder, "it's a folder"));
    const own = lines.filter((line) => line.startsWith("curl ") && !line.includes(":7380"));
    expect(own.length).toBeGreaterThan(6);
    for (const line of own) expect(`${await runCurl(line)} ${line}`).toMatch(/^20[01] /);
  });

  it("a port that is taken is said, and nothing is left behind", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as AddressInfo;
    const directory = join(folder, "new");
    await expect(runSandbox({ write: () => {}, directory, port, signal: stop.signal })).rejects.toMatchObject(
      { code: "EADDRINUSE" },
    );
    expect(existsSync(directory)).toBe(false);
    blocker.close();
  });

  it("a folder that can't be made ends it with the system's error", async () => {
    await writeFile(join(folder, "file"), "");
    const directory = join(folder, "file", "folder");
    await expect(runSandbox({ write: () => {}, directory, signal: stop.signal })).rejects.toMatchObject({
      code: "ENOTDIR",
    });
  });
});
