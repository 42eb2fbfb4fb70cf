import { setImmediate as turn } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { auditPath, entryTypes as types, expectWhole, openAuditBench } from "../../support/audit-bench.ts";
import { begun, refused } from "../../support/audit-entries.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryDisk, systemError } from "../../support/memory-disk.ts";
import { until } from "../../support/until.ts";

const soon = { withinMs: 20_000, what: "what the test waits for" };

describe("a line that is announced", () => {
  it("is told as durable only after a sync that began when it was wholly written", async () => {
    const disk = createMemoryDisk();
    const { announce } = await openAuditBench({ disk });
    const writing = Promise.withResolvers<void>();
    disk.log.length = 0;
    disk.faults.append = () => writing.promise;
    let told = false;
    const done = announce("1").then(() => {
      told = true;
    });
    await until(() => disk.log.find((each) => each.startsWith("append")), soon);
    await turn();
    expect(disk.log).toHaveLength(1);
    const syncing = Promise.withResolvers<void>();
    disk.faults.sync = () => syncing.promise;
    writing.resolve();
    await until(() => disk.log.includes("sync") || undefined, soon);
    expect(disk.log.slice(1)).toEqual(["appended", "sync"]);
    expect(told).toBe(false);
    syncing.resolve();
    await done;
  });

  it("shares its sync with all that wait", async () => {
    const disk = createMemoryDisk();
    const { announce } = await openAuditBench({ disk });
    const syncing = Promise.withResolvers<void>();
    disk.log.length = 0;
    disk.faults.sync = () => syncing.promise;
    const first = announce("first");
    await until(() => disk.log.includes("sync") || undefined, soon);
    const others = Array.from({ length: 50 }, (_, index) => announce(String(index)));
    syncing.resolve();
    expect(await Promise.all([first, ...others])).toEqual(Array(51).fill(undefined));
    expect(disk.log.filter((each) => each === "sync")).toHaveLength(2);
  });

  it("survives a power cut from the moment that it was told as durable", async () => {
    const disk = createMemoryDisk();
    const { announce, end } = await openAuditBench({ disk });
    await announce("1");
    end("1");
    const left = disk.afterPowerCut();
    expect(types(left)).toEqual(["file", "call-begun"]);
    const next = await openAuditBench({ disk: left });
    expect(next.found).toMatchObject([{ call: "1", references: ["REF-1"], endedAt: null }]);
  });

  it("that nobody waits for any more before it came near the disk is never written", async () => {
    const disk = createMemoryDisk();
    const { record } = await openAuditBench({ disk });
    record
      .announce(begun("1"), refused("1"), () => {
        throw new Error("told all the same");
      })
      .abandon();
    await record.close(1_000);
    expect(types(disk)).toEqual(["file"]);
  });

  it("that nobody waits for any more once it is being written is followed by the end of what was not done", async () => {
    const disk = createMemoryDisk();
    const { record } = await openAuditBench({ disk });
    const syncing = Promise.withResolvers<void>();
    disk.faults.sync = () => syncing.promise;
    const line = record.announce(begun("1"), refused("1"), () => {
      throw new Error("told all the same");
    });
    await until(() => disk.log.at(-1) === "sync" || undefined, soon);
    line.abandon();
    syncing.resolve();
    await until(() => types(disk).includes("call-ended") || undefined, soon);
    expect(disk.lines(auditPath).at(-1)).toMatchObject({ type: "call-ended", outcome: "not-sent" });
    expect(record.report().open).toBe(0);
    await record.close(1_000);
  });
});

describe("a write or a sync that fails", () => {
  it("refuses the whole group, whatever succeeds later, and the chain goes on in a new file behind the last durable line", async () => {
    const disk = createMemoryDisk();
    const { record, announce, events } = await openAuditBench({ disk });
    await announce("durable");
    const durable = record.report().head;
    let failed = 0;
    disk.faults.sync = () => {
      failed += 1;
      return failed === 1 ? systemError("EIO") : undefined;
    };
    const group = await Promise.all([announce("1"), announce("2"), announce("3")]);
    expect(group.map((error) => error?.message)).toEqual(
      Array(3).fill("the record of money calls can't be written: the system refused it (EIO)"),
    );
    await until(() => record.report().available || undefined, soon);
    expect(await announce("4")).toBeUndefined();
    await record.close(1_000);
    const [first, ...rest] = disk.lines(auditPath);
    expect(first).toMatchObject({
      type: "file",
      file: 2,
      reason: "failed",
      last_seq: durable.seq,
      last_hash: durable.hash,
      open: [{ call: "durable" }],
    });
    expect(first?.["given_up"]).toHaveLength(3);
    // Each whose line may stand on the disk has its end, and is not open.
    expect(rest.slice(0, 3)).toMatchObject(
      ["1", "2", "3"].map((call) => ({ type: "call-ended", call, outcome: "not-sent" })),
    );
    expect(rest.at(-1)).toMatchObject({ type: "call-begun", call: "4" });
    expect(disk.lines(`${auditPath}.000001`)).toHaveLength(5);
    await expectWhole(disk, record);
    expect(events.map((event) => event.type)).toContain("audit-availability");
    const next = await openAuditBench({ disk });
    expect(next.found.map(({ call }) => call)).toEqual(["durable", "4"]);
  });

  it("leaves an unfinished line behind, to which nothing is ever appended", async () => {
    const disk = createMemoryDisk();
    const { record, announce } = await openAuditBench({ disk });
    disk.faults.append = () => {
      disk.faults.append = undefined;
      return 20;
    };
    expect(await announce("1")).toBeInstanceOf(Error);
    await until(() => record.report().available || undefined, soon);
    await announce("2");
    await record.close(1_000);
    expect(disk.text(`${auditPath}.000001`)).toMatch(/\n\{"seq":2,"prev":".{0,12}$/);
    await expectWhole(disk, record);
  });

  it("loses no end, which is written when the disk takes lines again", async () => {
    const disk = createMemoryDisk();
    const clock = systemClock;
    const { record, announce, end } = await openAuditBench({ disk, clock });
    await announce("1");
    disk.faults.append = () => 0;
    disk.faults.create = () => systemError("ENOSPC");
    expect(await announce("2")).toBeInstanceOf(Error);
    end("1");
    await until(() => !record.report().available || undefined, soon);
    // Refused at once, and nothing of it is written.
    expect((await announce("3"))?.message).toMatch(/its disk is full/);
    disk.faults.append = undefined;
    disk.faults.create = undefined;
    await until(() => record.report().available || undefined, soon);
    await record.close(1_000);
    const ended = disk.lines(auditPath).map(({ type, call }) => [type, call]);
    expect(ended).toEqual([
      ["file", undefined],
      ["call-ended", "2"],
      ["call-ended", "1"],
    ]);
    expect(record.report().open).toBe(0);
    await expectWhole(disk, record);
  });

  it("refuses nobody where the configuration says to go on, and the lines are there later", async () => {
    const disk = createMemoryDisk();
    const { record, announce, end, events } = await openAuditBench({ disk, whenUnavailable: "continue" });
    disk.faults.append = () => 0;
    disk.faults.create = () => systemError("ENOSPC");
    expect(await announce("1")).toBeUndefined();
    expect(await announce("2")).toBeUndefined();
    end("1");
    expect(events.at(-1)).toMatchObject({
      type: "audit-availability",
      unavailable: { reason: "its disk is full" },
    });
    disk.faults.append = undefined;
    disk.faults.create = undefined;
    await until(() => record.report().available || undefined, soon);
    await record.close(1_000);
    expect(types(disk)).toEqual(["file", "call-begun", "call-begun", "call-ended"]);
    expect(record.report().open).toBe(1);
    await expectWhole(disk, record);
  });

  it("keeps so many lines, and says how many more were lost", async () => {
    const disk = createMemoryDisk();
    const { record, announce, end } = await openAuditBench({ disk });
    disk.faults.append = () => 0;
    disk.faults.create = () => systemError("ENOSPC");
    expect(await announce("1")).toBeInstanceOf(Error);
    for (let line = 0; line < 10_100; line += 1) end("of another");
    expect(record.report().lost).toBeGreaterThanOrEqual(100);
    disk.faults.append = undefined;
    disk.faults.create = undefined;
    await until(() => record.report().available || undefined, soon);
    await record.close(1_000);
    expect(disk.lines(auditPath)[1]).toMatchObject({ type: "lines-lost", lines: record.report().lost });
    await expectWhole(disk, record);
  });
});

describe("a disk that does not answer", () => {
  it("makes the record unavailable until it does; what was handed over is still told", async () => {
    const disk = createMemoryDisk();
    const clock = createHandClock();
    const { record, announce } = await openAuditBench({ disk, clock });
    const syncing = Promise.withResolvers<void>();
    disk.faults.sync = () => syncing.promise;
    const first = announce("1");
    await until(() => disk.log.at(-1) === "sync" || undefined, soon);
    const second = announce("2");
    await clock.advance(3_000);
    // The second was never handed over, a third not even taken.
    expect(await second).toBeInstanceOf(Error);
    expect(await announce("3")).toBeInstanceOf(Error);
    disk.faults.sync = undefined;
    syncing.resolve();
    expect(await first).toBeUndefined();
    await until(() => record.report().available || undefined, soon);
    expect(await announce("4")).toBeUndefined();
    expect(disk.lines(auditPath).map(({ call }) => call)).toEqual([undefined, "1", "4"]);
  });

  it("holds nobody where the configuration says to go on", async () => {
    const disk = createMemoryDisk();
    const clock = createHandClock();
    const { announce } = await openAuditBench({ disk, clock, whenUnavailable: "continue" });
    const syncing = Promise.withResolvers<void>();
    disk.faults.sync = () => syncing.promise;
    const waiting = [announce("1")];
    await until(() => disk.log.at(-1) === "sync" || undefined, soon);
    waiting.push(announce("2"));
    await clock.advance(3_000);
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
    syncing.resolve();
  });

  it("keeps no process from its end, and has its file closed if it answers before that", async () => {
    const disk = createMemoryDisk();
    const { record, announce } = await openAuditBench({ disk });
    const syncing = Promise.withResolvers<void>();
    disk.faults.sync = () => syncing.promise;
    const waiting = announce("1");
    await until(() => disk.log.at(-1) === "sync" || undefined, soon);
    await record.close(1);
    expect(disk.opened()).toBe(1);
    disk.faults.sync = undefined;
    syncing.resolve();
    expect(await waiting).toBeUndefined();
    await until(() => disk.opened() === 0 || undefined, soon);
  });
});

describe("the end of the process", () => {
  it("leaves every line durable, those that nobody waited for too", async () => {
    const disk = createMemoryDisk();
    const { record, announce, end } = await openAuditBench({ disk });
    await announce("1");
    end("1");
    await record.close(1_000);
    expect(types(disk.afterPowerCut())).toEqual(["file", "call-begun", "call-ended"]);
    expect(record.report().head.seq).toBe(3);
  });
});

describe("the head of the chain", () => {
  it("leaves the machine with the first durable line, and then every few minutes", async () => {
    const disk = createMemoryDisk();
    const clock = createHandClock();
    const { record, announce, events } = await openAuditBench({ disk, clock });
    const heads = (): unknown[] =>
      events.flatMap((event) => (event.type === "audit-head" ? [event.head] : []));
    await announce("1");
    expect(heads()).toEqual([record.report().head]);
    await announce("2");
    await announce("3");
    expect(heads()).toHaveLength(1);
    await clock.advance(5 * 60_000);
    expect(heads().at(-1)).toEqual(record.report().head);
    expect(record.report().told).toEqual(record.report().head);
    await clock.advance(5 * 60_000);
    expect(heads()).toHaveLength(2);
  });
});
