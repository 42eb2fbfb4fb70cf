import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { echo } from "../support/held-presto.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { exchange } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { hasTerminal } from "../support/terminal.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let presto: RawPresto;
let stage: ProgramStage;

beforeEach(async () => {
  presto = await startRawPresto();
  presto.answer((request) => void request.socket.write(echo(request)));
  stage = await openProgramStage(
    { url: presto.url, caPem: presto.authority.certPem },
    { PRESTO_TOKEN: "token-of-the-tests", PRESTO_CONTROL_LISTEN: "off" },
  );
});

afterEach(async () => {
  await stage.close();
  await presto.close();
});

const call = () => exchange({ path: stage.at("proxy") }, queryCall("T"));
const ask = (path: string) => exchange({ path: stage.at("admin") }, getCall(path, "Connection: close"));

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
    const pidFile = stage.at("pid");
    const script = `echo $$ > '${pidFile}'; exec '${process.execPath}' '${main}' start`;
    terminal = spawn("script", ["--quiet", "--return", "--command", script, "/dev/null"], {
      env: { PATH: process.env["PATH"], SHELL: "/bin/sh", ...stage.environment() },
      stdio: ["pipe", "pipe", "inherit"],
    });
    terminal.stdout?.resume();
    expect((await stage.run(["wait"])).code).toBe(0);
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
    await expect.poll(() => stateOf(pid), { timeout: 40_000 }).toBe("Z");
    const ended = once(terminal, "close");
    terminal.kill("SIGCONT");
    await ended;
    expect(terminal.exitCode).toBe(0);
  });
});

describe("standard output that is a file", () => {
  it("has all lines, in their order, to the last one of the end", async () => {
    const path = stage.at("log");
    const file = openSync(path, "a");
    const sidecar = stage.start({}, { stdout: file });
    try {
      expect((await stage.run(["wait"])).code).toBe(0);
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
      closeSync(file);
    }
  });
});
