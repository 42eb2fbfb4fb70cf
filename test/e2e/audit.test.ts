import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import type { ReceivedRequest } from "../../src/sandbox/journal.ts";
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
import { canStick, createStuckMount } from "../support/stuck-mount.ts";
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

const soon = { withinMs: 30_000, what: "what the test waits for" };

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

/** The record's lines about a transaction. */
function linesOf(reference: string, type: string): Record<string, unknown>[] {
  return recordLines(path).filter(
    (line) =>
      line["type"] === type && (String(line["references"]) === reference || line["reference"] === reference),
  );
}

const acted = (reference: string): number => sandbox.state().confirms[reference] ?? 0;

const isConfirmOf = (reference: string, { target, body }: ReceivedRequest): boolean =>
  target === walletPaths.confirm && body.includes(reference);

/** When it is killed, counted from the sending of the confirm. */
const moments = {
  "at once": async () => {},
  "some milliseconds later": () => pause(4),
  "once its line is there": (reference: string) => until(() => linesOf(reference, "call-begun")[0], soon),
  "once Presto has it": (reference: string) =>
    until(() => sandbox.received().find((request) => isConfirmOf(reference, request)), soon),
  "once Presto has acted": (reference: string) => until(() => acted(reference) || undefined, soon),
};

const kills = [
  ["at once", undefined],
  ["some milliseconds later", undefined],
  ["some milliseconds later", { kind: "reset-after-acting" }],
  ["once its line is there", { kind: "hold" }],
  ["once its line is there", { kind: "hold", acts: true }],
  ["once Presto has it", { kind: "hold" }],
  ["once Presto has acted", { kind: "hold", acts: true }],
  ["once Presto has acted", { kind: "slow-head", ms: 500 }],
] as const;

describe("a kill -9", () => {
  it.each(kills)(
    "%s, with %j, leaves a chain that verifies, and what was under way is known and settled",
    async (moment, fault) => {
      const program = await start();
      const reference = await program.begin();
      if (fault !== undefined) sandbox.setFault({ ...fault, path: walletPaths.confirm });
      const told = program.confirm(reference);
      await moments[moment](reference);
      await program.kill("SIGKILL");
      await told;
      // What Presto held it may act on once it is let go: known when the record has been verified.
      sandbox.clearFaults();
      await expectWhole();
      const before = acted(reference);
      const begun = linesOf(reference, "call-begun").length > 0;
      // What moved money had its line before.
      if (before > 0) expect(begun).toBe(true);
      if (moment === "once Presto has acted") expect(before).toBe(1);
      const isOpen =
        begun && recordLines(path).every(({ type, open }) => type !== "call-ended" || open !== false);
      const next = await start();
      if (isOpen) {
        // Nobody may send it again before it is known what became of it, nor after it has completed.
        expect(await next.confirm(reference)).toMatchObject({ status: 409 });
        if (before > 0) {
          await until(() => linesOf(reference, "outcome-settled")[0], soon);
          expect(linesOf(reference, "outcome-settled")).toMatchObject([
            { status: "completed", by: "presto" },
          ]);
          expect(await next.confirm(reference)).toMatchObject({ status: 409 });
        }
      }
      expect(acted(reference)).toBe(before);
      await next.kill("SIGKILL");
      await expectWhole();
    },
  );
});

it("a kill -9 right behind an answer makes nobody pay twice who has not read it", async () => {
  const program = await start();
  const reference = await program.begin();
  expect((await program.confirm(reference)).status).toBe(200);
  await until(() => recordLines(path).find(({ type }) => type === "call-ended"), soon);
  await program.kill("SIGKILL");
  const next = await start();
  // An app whose connection broke sends the same again (docs/money.md).
  expect(await next.confirm(reference)).toMatchObject({
    status: 409,
    body: { code: "duplicate-confirm", transaction: { reference, status: "completed" } },
  });
  expect(acted(reference)).toBe(1);
  await next.kill("SIGTERM");
  await expectWhole();
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

describe.runIf(await canStick())("a mount that does not answer", () => {
  it("costs reads nothing, and confirms their time at most", async () => {
    const mount = await createStuckMount();
    onTestFinished(() => mount.remove());
    const program = await start({
      audit: `file:${mount.path("audit.jsonl")}`,
      env: { PRESTO_TIMEOUT: "2s" },
    });
    const reference = await program.begin();
    expect((await program.confirm(reference)).status).toBe(200);
    const other = await program.begin();
    mount.stop();
    const begunAt = performance.now();
    const waiting = program.confirm(other);
    for (let call = 0; call < 20; call += 1) expect((await program.query(reference)).status).toBe(200);
    // Not one that waited as long as the confirm does.
    expect(performance.now() - begunAt).toBeLessThan(20 * 2_000 * 0.5);
    expect(await waiting).toMatchObject({
      status: 503,
      outcome: "not-sent",
      body: { code: "audit-unavailable", retryable: true },
    });
    mount.goOn();
    await until(async () => ((await program.confirm(other)).status === 200 ? true : undefined), soon);
    expect(acted(other)).toBe(1);
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
