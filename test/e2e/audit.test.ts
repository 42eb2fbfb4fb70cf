import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { createSandbox } from "../../src/sandbox/server.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import {
  type AuditedOptions,
  type AuditedProgram,
  recordFiles,
  recordLines,
  startAudited,
} from "../support/audited-program.ts";
import { runCli } from "../support/built-cli.ts";
import { canMount, createSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";
import { walletPaths } from "../support/wallet-call.ts";

let sandbox: Sandbox;
let folder: string;
let caFile: string;
let path: string;

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
});
afterAll(() => sandbox.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "audit-e2e-"));
  caFile = join(folder, "ca.pem");
  writeFileSync(caFile, sandbox.caPem);
  path = join(folder, "audit.jsonl");
});
afterEach(() => {
  sandbox.clearFaults();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: AuditedOptions & { audit?: string } = {}): Promise<AuditedProgram> {
  const { audit = `file:${path}`, ...rest } = options;
  const program = await startAudited(sandbox, caFile, audit, rest);
  onTestFinished(async () => {
    await program.kill("SIGKILL");
  });
  return program;
}

const soon = { withinMs: 10_000, what: "what the test waits for" };

async function expectWhole(where = path): Promise<void> {
  const verified = await runCli(["audit", "verify", ...recordFiles(where)]);
  expect(verified).toMatchObject({ code: 0, err: "" });
}

describe("the record of a confirm", () => {
  it("has who called, what was asked, and what came of it; and never a token, a body or an e-mail", async () => {
    const program = await start({
      env: { POD_NAME: "app-7", POD_NAMESPACE: "bank", PRESTO_EMAIL: "", PRESTO_LOG_LEVEL: "info" },
    });
    const reference = await program.begin();
    expect((await program.confirm(reference)).status).toBe(200);
    expect(await program.kill("SIGTERM")).toBe(0);
    const lines = recordLines(path);
    expect(lines.map(({ type }) => type)).toEqual(["file", "start", "call-begun", "call-ended", "stop"]);
    expect(lines[1]).toMatchObject({
      role: "proxy",
      configuration: { PRESTO_TOKEN: "[secret]", PRESTO_URL: sandbox.url },
    });
    expect(lines[2]).toMatchObject({
      operation: "wallet.confirm",
      references: [reference],
      attempt: 1,
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      pod: "app-7",
      namespace: "bank",
    });
    expect(lines[3]).toMatchObject({
      call: lines[2]?.["call"],
      outcome: "answered",
      status: 200,
      verdict: "completed",
      attempts: 1,
      open: false,
    });
    expect(readFileSync(path, "utf8")).not.toContain(sandbox.token);
    const [, head = ""] = /"head":"(\d+:[0-9a-f]{64})"(?!.*"head")/s.exec(program.log()) ?? [];
    const verified = await runCli(["audit", "verify", "--json", "--head", head, path]);
    expect(verified).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, chains: [{ head, lines: 5, notes: [] }] });
  });

  it("is found altered, by line", async () => {
    const program = await start();
    await program.confirm(await program.begin());
    await program.kill("SIGTERM");
    writeFileSync(path, readFileSync(path, "utf8").replace('"status":200', '"status":201'));
    expect(await runCli(["audit", "verify", path])).toMatchObject({
      code: 65,
      err: expect.stringMatching(/Line 4 of .* was altered/),
    });
    // A start says so, and adds nothing.
    await expect(start()).rejects.toThrow(/the record is broken/);
  });

  it("goes to standard output where that is wanted, each line marked", async () => {
    const program = await start({ audit: "stdout" });
    expect((await program.confirm(await program.begin())).status).toBe(200);
    await until(() => /"type":"call-ended"/.exec(program.log())?.[0], soon);
    const lines = program
      .log()
      .split("\n")
      .filter((line) => line.includes('"record":true'));
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(["file", "start", "call-begun", "call-ended"]);
    expect(program.log()).toMatch(/PRESTO_AUDIT is stdout: nothing makes sure/);
  });
});

describe("a second process", () => {
  it("ends with 75 beside a first one; a command writes beside it", async () => {
    await start();
    await expect(start()).rejects.toThrow(/holds the lock of the record/);
    const env = { PRESTO_AUDIT: `file:${path}`, PRESTO_STORE: `file:${join(folder, "token")}` };
    const { out: key } = await runCli(["keygen"]);
    const imported = await runCli(["token", "import"], {
      env: { ...env, PRESTO_STORE_KEY: key.trim() },
      stdin: "a-token-of-the-tests\n",
    });
    expect(imported.code).toBe(0);
    const commands = readFileSync(`${path}.commands`, "utf8");
    expect(
      commands
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).type),
    ).toEqual(["file", "command-begun", "token-imported", "command-ended"]);
    expect(commands).not.toContain("a-token-of-the-tests");
    expect((await runCli(["audit", "verify", path, `${path}.commands`])).code).toBe(0);
  });
});

describe("a kill -9", () => {
  it("at any step of a confirm leaves a chain that verifies, and what was under way is known and settled", async () => {
    let unknown = 0;
    for (const fault of ["none", "hold", "reset-after-acting", "hold-acted"] as const) {
      for (const delayMs of [0, 2, 5, 10]) {
        sandbox.clearFaults();
        const program = await start();
        const reference = await program.begin();
        if (fault === "hold") sandbox.setFault({ kind: "hold", path: walletPaths.confirm });
        if (fault === "hold-acted") sandbox.setFault({ kind: "hold", acts: true, path: walletPaths.confirm });
        if (fault === "reset-after-acting")
          sandbox.setFault({ kind: "reset-after-acting", path: walletPaths.confirm });
        const told = program.confirm(reference);
        await pause(delayMs);
        await program.kill("SIGKILL");
        await told;
        await expectWhole();
        sandbox.clearFaults();
        const before = sandbox.state().confirms[reference] ?? 0;
        const begun = recordLines(path).filter(
          ({ type, references }) => type === "call-begun" && String(references) === reference,
        );
        const next = await start();
        if (
          begun.length > 0 &&
          before > 0 &&
          !recordLines(path).some(
            ({ type, call, open }) => type === "call-ended" && call === begun[0]?.["call"] && open === false,
          )
        ) {
          unknown += 1;
          // Presto has completed it: it is asked, and that is a line; until and after that nobody may send it again.
          expect(await next.confirm(reference)).toMatchObject({ status: 409 });
          await until(
            () =>
              recordLines(path).some(
                ({ type, reference: settled }) => type === "outcome-settled" && settled === reference,
              ) || undefined,
            soon,
          );
          expect(await next.confirm(reference)).toMatchObject({ status: 409 });
        }
        expect(sandbox.state().confirms[reference] ?? 0).toBe(before);
        await next.kill("SIGKILL");
        await expectWhole();
        rmSync(path);
      }
    }
    expect(unknown).toBeGreaterThan(0);
  }, 180_000);
});

describe.runIf(canMount())("a disk that is full", () => {
  it("refuses confirms, not reads; and after there is room they go through", async () => {
    const disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    const onDisk = join(disk.folder, "audit.jsonl");
    const program = await start({ audit: `file:${onDisk}` });
    const reference = await program.begin();
    disk.fill();
    const refused = await until(async () => {
      const told = await program.confirm(await program.begin());
      return told.status === 503 ? told : undefined;
    }, soon);
    expect(refused).toMatchObject({
      outcome: "not-sent",
      body: { code: "audit-unavailable", retryable: true },
    });
    expect((await program.query(reference)).status).toBe(200);
    disk.free();
    await until(() => program.log().includes("can be written again") || undefined, soon);
    expect((await program.confirm(reference)).status).toBe(200);
    expect(sandbox.state().confirms[reference]).toBe(1);
    expect(await program.kill("SIGTERM")).toBe(0);
    await expectWhole(onDisk);
  });

  it("stops nothing where PRESTO_AUDIT_FULL is continue", async () => {
    const disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    disk.fill();
    const onDisk = join(disk.folder, "audit.jsonl");
    const program = await start({ audit: `file:${onDisk}`, env: { PRESTO_AUDIT_FULL: "continue" } });
    const reference = await program.begin();
    expect((await program.confirm(reference)).status).toBe(200);
    expect(program.log()).toMatch(/its disk is full.*can't be written/);
    disk.free();
    await until(() => program.log().includes("can be written again") || undefined, soon);
    expect(await program.kill("SIGTERM")).toBe(0);
    expect(recordLines(onDisk).map(({ type }) => type)).toEqual([
      "file",
      "start",
      "call-begun",
      "call-ended",
      "stop",
    ]);
    await expectWhole(onDisk);
  });
});

describe("a path that can't be a record", () => {
  it.each([
    ["relative", "file:audit.jsonl", 78, /not an absolute path/],
    ["a word", "syslog", 78, /none of off, stdout and file/],
    ["for everybody", "file:/tmp/x?mode=0644", 78, /every user of the machine/],
  ])("is refused: %s", async (_, audit, code, sentence) => {
    const checked = await runCli(["check"], {
      env: { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "x", PRESTO_AUDIT: audit },
    });
    expect(checked.code).toBe(code);
    expect(checked.err).toMatch(sentence);
  });
});
