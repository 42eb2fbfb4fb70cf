import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { systemDisk } from "../../src/audit/disk.ts";
import type { OpenCall } from "../../src/audit/entries.ts";
import { openAudit } from "../../src/audit/open.ts";
import type { AuditEvent, AuditRecord, RecordUnavailable } from "../../src/audit/types.ts";
import { verifyRecord } from "../../src/audit/verify.ts";
import { systemClock } from "../../src/clock.ts";
import { begun, refused } from "../support/audit-entries.ts";
import { canMount, createSmallDisk } from "../support/small-disk.ts";
import { canStick, createStuckMount } from "../support/stuck-mount.ts";
import { until } from "../support/until.ts";
import { runChild } from "../unit/audit/children/run-child.ts";

const soon = { withinMs: 20_000, what: "what the test waits for" };
const isRoot = process.geteuid?.() === 0;

let folder: string;
let path: string;
let events: AuditEvent[];
let found: OpenCall[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "audit-"));
  path = join(folder, "audit.jsonl");
  events = [];
  found = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(
  options: { path?: string; mode?: number; mostBytes?: number } = {},
): Promise<AuditRecord> {
  const { mode = 0o600, ...rest } = options;
  const record = await openAudit(
    {
      whenUnavailable: "refuse",
      writer: "sidecar",
      lockWaitMs: 0,
      ...rest,
      place: { kind: "file", path: rest.path ?? path, mode },
    },
    {
      clock: systemClock,
      emit: (event) => events.push(event),
      stream: () => process.stdout,
      onFound: (open) => found.push(...open),
    },
  );
  onTestFinished(() => record.close(1_000));
  return record;
}

function announce(record: AuditRecord, call: string): Promise<RecordUnavailable | undefined> {
  return new Promise((resolve) => {
    record.announce(begun(call), refused(call), resolve);
  });
}

async function recordFiles(where = folder): Promise<string[]> {
  return (await readdir(where))
    .filter((name) => name.startsWith("audit.jsonl"))
    .map((name) => join(where, name));
}

async function expectWhole(record: AuditRecord, where = folder): Promise<void> {
  const verified = await verifyRecord(systemDisk, await recordFiles(where), record.report().head);
  expect(verified.ok ? "" : verified.fault.sentence).toBe("");
}

const lines = async (file = path): Promise<Record<string, unknown>[]> =>
  (await readFile(file, "utf8"))
    .split("\n")
    .filter(Boolean)
    .map((line) => ({ ...JSON.parse(line) }));

describe("the record in files", () => {
  it("is made with its mode, whatever the process's mask", async () => {
    const before = process.umask(0o077);
    onTestFinished(() => void process.umask(before));
    await announce(await open({ mode: 0o640 }), "1");
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  it("goes on over files and starts", async () => {
    const first = await open({ mostBytes: 2_000 });
    for (let call = 0; call < 30; call += 1) await announce(first, String(call));
    await first.close(1_000);
    const second = await open({ mostBytes: 2_000 });
    expect(found).toHaveLength(30);
    for (let call = 30; call < 40; call += 1) await announce(second, String(call));
    await second.close(1_000);
    expect((await recordFiles()).length).toBeGreaterThan(3);
    await expectWhole(second);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("is refused as a symbolic link, a folder, somebody else's, too open, and as what is no record; nothing is changed", async () => {
    const elsewhere = join(folder, "elsewhere");
    await writeFile(elsewhere, "mine\n", { mode: 0o600 });
    await symlink(elsewhere, path);
    await expect(open()).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringMatching(/is a symbolic link/),
    });
    await rm(path);
    await writeFile(path, "mine\n", { mode: 0o600 });
    await expect(open()).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringMatching(/no record of this program/),
    });
    await chmod(path, 0o604);
    await expect(open()).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringMatching(/mode 0604, which is wider/),
    });
    await chmod(path, 0o600);
    if (isRoot) {
      await chown(path, 65_534, 65_534);
      await expect(open()).rejects.toMatchObject({
        code: "configuration",
        message: expect.stringMatching(/belongs to the user 65534/),
      });
    }
    expect(await readFile(path, "utf8")).toBe("mine\n");
    await expect(open({ path: join(folder, "none", "audit.jsonl") })).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringMatching(/Make the folder/),
    });
    await expect(open({ path: folder })).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringMatching(/not a regular file/),
    });
  });

  it("is found removed, renamed or cut within 5 s, and the chain goes on", async () => {
    const interferences = [
      () => rm(path),
      () => rename(path, join(folder, "away")),
      () => truncate(path, 50),
    ];
    for (const interfere of interferences) {
      events = [];
      const record = await open();
      await announce(record, "1");
      const { head } = record.report();
      await interfere();
      // A busy machine looks later.
      await until(() => events.some(({ type }) => type === "audit-interfered") || undefined, soon);
      expect(await announce(record, "2")).toBeUndefined();
      expect((await lines())[0]).toMatchObject({
        reason: "outside",
        last_seq: head.seq,
        last_hash: head.hash,
      });
      await record.close(1_000);
      await rm(path);
      for (const file of await recordFiles()) await rm(file);
    }
  });

  it("is recovered from a file of 64 MiB within 2 s", async () => {
    const first = await open();
    for (let call = 0; call < 200; call += 1)
      first.note({ ...begun(String(call)), pod: "a-pod-with-a-long-name-0" });
    await announce(first, "last");
    await first.close(1_000);
    // As many lines more as it takes, made as the record makes them.
    const { encodeLine } = await import("../../src/audit/line.ts");
    let { head } = first.report();
    let text = "";
    for (let call = 0; text.length < 60 * 1024 * 1024; call += 1) {
      const begunLine = encodeLine(head, new Date(), {
        ...begun(`more-${call}`),
        pod: "a-pod-with-a-long-name-0",
      });
      const ended = encodeLine(begunLine.head, new Date(), {
        type: "call-ended",
        call: `more-${call}`,
        open: false,
      });
      text += begunLine.text + ended.text;
      ({ head } = ended);
    }
    await writeFile(path, text, { flag: "a" });
    const before = process.cpuUsage();
    const second = await open();
    const { user, system } = process.cpuUsage(before);
    // Of this process, as others may keep the machine busy.
    expect((user + system) / 1_000).toBeLessThan(4_000);
    expect(second.report().head).toEqual(head);
    expect(found).toHaveLength(201);
  });
});

describe("between processes", () => {
  it("one writes; the next takes it at once after a kill -9, with all that was durable", async () => {
    const files = { durable: new Set<string>() };
    for (let round = 0; round < 6; round += 1) {
      const { child, output } = runChild("write-record.ts", [path]);
      await until(() => output().includes("durable") || undefined, soon);
      await expect(open()).rejects.toMatchObject({
        code: "try-again",
        message: expect.stringMatching(/holds the lock of the record/),
      });
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      const freeAt = performance.now();
      for (const [, call = ""] of output().matchAll(/^durable (\S+)$/gm)) files.durable.add(call);
      found = [];
      const record = await open({ mostBytes: 20_000 });
      expect(performance.now() - freeAt).toBeLessThan(10_000);
      // One at most was under way.
      expect(found.length).toBeLessThanOrEqual(1);
      for (const { call } of found) record.note({ type: "call-ended", call, open: false });
      await record.close(1_000);
      await expectWhole(record);
    }
    const written = new Set<unknown>();
    for (const file of await recordFiles())
      for (const line of await lines(file)) if (line["type"] === "call-begun") written.add(line["call"]);
    expect([...files.durable].filter((call) => !written.has(call))).toEqual([]);
    expect(files.durable.size).toBeGreaterThanOrEqual(6);
  });

  it.runIf(isRoot && spawnSync("unshare", ["--pid", "--fork", "true"]).status === 0)(
    "the lock is the kernel's: a first process of two containers has the same number",
    async () => {
      const first = runChild("write-record.ts", [path], ["unshare", "--pid", "--fork", "--kill-child"]);
      await until(() => first.output().includes("durable 1-") || undefined, soon);
      const second = runChild("write-record.ts", [path], ["unshare", "--pid", "--fork", "--kill-child"]);
      await until(() => second.output().includes("refused try-again") || undefined, soon);
      const ended = once(first.child, "exit");
      first.child.kill("SIGKILL");
      await ended;
      const third = runChild("write-record.ts", [path], ["unshare", "--pid", "--fork", "--kill-child"]);
      await until(() => third.output().includes("durable 1-") || undefined, soon);
    },
  );
});

describe.runIf(canMount())("on a disk that is full", () => {
  it("refuses money calls until there is room, and the chain is whole", async () => {
    const disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    const onDisk = join(disk.folder, "audit.jsonl");
    const record = await open({ path: onDisk });
    expect(await announce(record, "1")).toBeUndefined();
    disk.fill();
    let refusal: RecordUnavailable | undefined;
    for (let call = 0; refusal === undefined && call < 100; call += 1)
      refusal = await announce(record, `more-${call}`);
    expect(refusal?.message).toMatch(/its disk is full/);
    disk.free();
    await until(() => record.report().available || undefined, soon);
    expect(await announce(record, "2")).toBeUndefined();
    await record.close(1_000);
    await expectWhole(record, disk.folder);
  });

  it("comes up all the same, and is opened when there is room", async () => {
    const disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    disk.fill();
    const record = await open({ path: join(disk.folder, "audit.jsonl") });
    expect((await announce(record, "1"))?.message).toMatch(/its disk is full/);
    disk.free();
    await until(() => record.report().available || undefined, soon);
    expect(await announce(record, "2")).toBeUndefined();
    await record.close(1_000);
    await expectWhole(record, disk.folder);
  });

  it("comes up over one that is read-only", async () => {
    const disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    disk.mount("ro");
    const record = await open({ path: join(disk.folder, "audit.jsonl") });
    expect((await announce(record, "1"))?.message).toMatch(/read-only/);
    disk.mount("rw");
    await until(() => record.report().available || undefined, soon);
  });
});

describe.runIf(await canStick())("on a mount that does not answer", () => {
  it("the record is unavailable within seconds, and goes on when it answers", async () => {
    const mount = await createStuckMount();
    onTestFinished(() => mount.remove());
    const record = await open({ path: mount.path("audit.jsonl") });
    expect(await announce(record, "1")).toBeUndefined();
    mount.stop();
    const waiting = announce(record, "2");
    await until(() => !record.report().available || undefined, soon);
    expect((await announce(record, "3"))?.message).toMatch(/does not answer/);
    mount.goOn();
    expect(await waiting).toBeUndefined();
    await until(() => record.report().available || undefined, soon);
    expect(await announce(record, "4")).toBeUndefined();
    await record.close(1_000);
    const verified = await verifyRecord(systemDisk, [mount.path("audit.jsonl")], record.report().head);
    expect(verified.ok ? "" : verified.fault.sentence).toBe("");
  });
});
