import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runCli, startCli } from "../support/built-cli.ts";
import { echo } from "../support/held-presto.ts";
import { exchange } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { hasTerminal } from "../support/terminal.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let folder: string;
let presto: RawPresto;
let env: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "unread-"));
  presto = await startRawPresto();
  presto.answer((request) => void request.socket.write(echo(request)));
  writeFileSync(join(folder, "ca.pem"), presto.authority.certPem);
  env = {
    PRESTO_URL: presto.url,
    PRESTO_CA_FILE: join(folder, "ca.pem"),
    PRESTO_TOKEN: "token-of-the-tests",
    PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
    PRESTO_CONTROL_LISTEN: "off",
  };
});

afterEach(async () => {
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = () => exchange({ path: join(folder, "proxy") }, queryCall("T"));
const ask = (path: string) => exchange({ path: join(folder, "admin") }, getCall(path, "Connection: close"));

/** As ps(1) shows it: Z once it has ended and nobody has asked how. */
function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] ?? "";
  } catch {
    return "Z";
  }
}

describe.runIf(hasTerminal && process.platform === "linux")("standard output that is a terminal", () => {
  let terminal: ChildProcess | undefined;
  afterEach(async () => {
    terminal?.kill("SIGCONT");
    terminal?.kill("SIGKILL");
  });

  it("which nobody reads stops no call and no end, and its lines are counted as lost", async () => {
    const pidFile = join(folder, "pid");
    const script = `echo $$ > '${pidFile}'; exec '${process.execPath}' '${main}' start`;
    terminal = spawn("script", ["--quiet", "--return", "--command", script, "/dev/null"], {
      env: { PATH: process.env["PATH"], SHELL: "/bin/sh", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    terminal.stdout?.resume();
    expect((await runCli(["wait"], { env })).code).toBe(0);
    terminal.kill("SIGSTOP");
    // Far more than the terminal keeps, and than the log keeps of what it could not write.
    for (let round = 0; round < 120; round += 1) {
      const answers = await Promise.all(Array.from({ length: 50 }, call));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    }
    expect((await ask("/livez")).status).toBe(200);
    const [, lost] = /log_lines_lost_total (\d+)/.exec((await ask("/metrics")).body) ?? [];
    expect(Number(lost)).toBeGreaterThan(0);

    const pid = Number(readFileSync(pidFile, "utf8"));
    process.kill(pid, "SIGTERM");
    await expect.poll(() => stateOf(pid), { timeout: 10_000 }).toBe("Z");
    const ended = once(terminal, "close");
    terminal.kill("SIGCONT");
    await ended;
    expect(terminal.exitCode).toBe(0);
  });
});

describe("standard output that is a file", () => {
  it("has all lines, in their order, to the last one of the end", async () => {
    const path = join(folder, "log");
    const file = openSync(path, "a");
    const sidecar = startCli(["start"], { env, stdout: file });
    try {
      expect((await runCli(["wait"], { env })).code).toBe(0);
      for (let round = 0; round < 20; round += 1) await Promise.all(Array.from({ length: 10 }, call));
      sidecar.child.kill("SIGTERM");
      expect(await sidecar.ended).toBe(0);
      const lines = readFileSync(path, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).msg);
      expect(lines.filter((line) => line === "call")).toHaveLength(200);
      expect(lines.at(-1)).toBe("Nothing is in flight any more.");
    } finally {
      sidecar.child.kill("SIGKILL");
      closeSync(file);
    }
  });
});
