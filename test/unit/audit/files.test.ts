import { describe, expect, it } from "vitest";

import { auditPath, entryTypes as types, expectWhole, openAuditBench } from "../../support/audit-bench.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryDisk, type MemoryDisk, systemError } from "../../support/memory-disk.ts";
import { until } from "../../support/until.ts";

const soon = { withinMs: 20_000, what: "what the test waits for" };

describe("a file that has its size", () => {
  it("is followed by another, which alone is enough to go on", async () => {
    const disk = createMemoryDisk();
    const { record, announce, end } = await openAuditBench({ disk, mostBytes: 1_000 });
    await announce("stays");
    for (let call = 0; call < 20; call += 1) {
      await announce(String(call));
      end(String(call), call === 7);
    }
    await record.close(1_000);
    expect(disk.paths().length).toBeGreaterThan(3);
    await expectWhole(disk, record);
    for (const path of disk.paths()) if (path !== auditPath) await disk.remove(path);
    const next = await openAuditBench({ disk, mostBytes: 1_000 });
    expect(next.found).toMatchObject([
      { call: "stays", references: ["REF-stays"], endedAt: null },
      { call: "7", references: ["REF-7"], endedAt: expect.any(String) },
    ]);
    expect(next.record.report().head).toEqual(record.report().head);
    next.record.note({
      type: "outcome-settled",
      request_id: "request-7",
      operation: "wallet.confirm",
      reference: "REF-7",
      status: "completed",
      by: "presto",
    });
    await next.record.close(1_000);
    expect(next.record.report().open).toBe(1);
    await expectWhole(disk, next.record);
  });

  it("goes on growing where no other can be made", async () => {
    const disk = createMemoryDisk();
    const { record, announce } = await openAuditBench({ disk, mostBytes: 500 });
    disk.faults.create = () => systemError("EACCES");
    for (let call = 0; call < 5; call += 1) expect(await announce(String(call))).toBeUndefined();
    await record.close(1_000);
    expect(disk.paths()).toEqual([auditPath]);
    await expectWhole(disk, record);
  });
});

describe("a start", () => {
  it("goes on with the file that it finds, and begins another behind an unfinished line", async () => {
    const disk = createMemoryDisk();
    const first = await openAuditBench({ disk });
    await first.announce("1");
    await first.record.close(1_000);
    const second = await openAuditBench({ disk });
    await second.announce("2");
    await second.record.close(1_000);
    expect(types(disk)).toEqual(["file", "call-begun", "call-begun"]);
    disk.put(auditPath, `${disk.text(auditPath)}{"seq":4,"prev"`);
    const third = await openAuditBench({ disk });
    await third.announce("3");
    await third.record.close(1_000);
    expect(disk.lines(auditPath)[0]).toMatchObject({ reason: "torn", file: 2, last_seq: 3 });
    expect(third.found.map(({ call }) => call)).toEqual(["1", "2"]);
    await expectWhole(disk, third.record);
  });

  it.each([
    ["goes on with", ""],
    ["follows", '{"seq":'],
  ])("%s what a killed process has written only once that is on the disk", async (_what, unfinished) => {
    const disk = createMemoryDisk();
    const first = await openAuditBench({ disk });
    await first.announce("a");
    const syncs = disk.log.filter((each) => each === "synced").length;
    // Written by the killed process, and never synced by it.
    first.end("a");
    await until(() => disk.lines(auditPath).length === 3 || undefined, soon);
    expect(disk.log.filter((each) => each === "synced").length).toBe(syncs);
    const bytes = disk.text(auditPath);
    disk.grow(auditPath, unfinished);
    const second = await openAuditBench({ disk });
    expect(second.record.report().head.seq).toBeGreaterThan(2);
    const left = disk.afterPowerCut();
    expect(
      left
        .paths()
        .map((each) => left.text(each))
        .join(""),
    ).toContain(bytes);
    await expectWhole(left, second.record);
  });

  it.each(["refuse", "continue"] as const)(
    "knows what the record holds as soon as it was read, though its disk is full: %s",
    async (whenUnavailable) => {
      const disk = createMemoryDisk();
      const first = await openAuditBench({ disk });
      for (const call of ["1", "2"]) await first.announce(call);
      first.record.note({
        type: "outcome-settled",
        operation: "wallet.confirm",
        reference: "REF-1",
        request_id: "request-1",
        status: "completed",
        by: "presto",
      });
      await first.record.close(1_000);
      // A full disk leaves such a line, and the next file can't be begun.
      disk.grow(auditPath, '{"seq":5,"prev"');
      disk.faults.create = () => systemError("ENOSPC");
      const second = await openAuditBench({ disk, whenUnavailable });
      expect(second.found.map(({ call }) => call)).toEqual(["2"]);
      expect(second.completed.map(({ reference }) => reference)).toEqual(["REF-1"]);
      expect(second.record.refusal()?.message).toBe(
        whenUnavailable === "refuse"
          ? "the record of money calls can't be written: its disk is full"
          : undefined,
      );
      disk.faults.create = undefined;
      await until(() => second.record.report().available || undefined, soon);
      // Once is enough.
      expect([second.found.length, second.completed.length]).toEqual([1, 1]);
      expect(second.record.refusal()).toBeUndefined();
      expect(second.record.report().open).toBe(1);
      await second.record.close(1_000);
      expect(disk.lines(auditPath)[0]).toMatchObject({ reason: "torn", open: [{ call: "2" }] });
      await expectWhole(disk, second.record);
    },
  );

  it("goes on behind the newest file that was set aside, where the present one is gone or empty", async () => {
    for (const gone of [true, false]) {
      const disk = createMemoryDisk();
      const first = await openAuditBench({ disk, mostBytes: 600 });
      for (let call = 0; call < 8; call += 1) await first.announce(String(call));
      await first.record.close(1_000);
      const before = disk.lines(disk.paths().at(-1) ?? "").at(-1);
      if (gone) await disk.remove(auditPath);
      else disk.put(auditPath, "");
      const next = await openAuditBench({ disk });
      expect(disk.lines(auditPath)[0]).toMatchObject({ reason: "moved", last_seq: before?.["seq"] });
      await next.record.close(1_000);
    }
  });

  it("refuses a record that was altered, and what is none, and leaves them as they are", async () => {
    const disk = createMemoryDisk();
    const first = await openAuditBench({ disk });
    for (let call = 0; call < 3; call += 1) await first.announce(String(call));
    await first.record.close(1_000);
    const whole = disk.text(auditPath);
    for (const [text, sentence] of [
      [whole.replace("REF-1", "REF-9"), /the record is broken.*Line 3 .*was altered/],
      ["hello\n", /no record of this program/],
      ['{"a":1}', /no record of this program/],
    ] as const) {
      disk.put(auditPath, text);
      await expect(openAuditBench({ disk })).rejects.toThrow(sentence);
      expect(disk.text(auditPath)).toBe(text);
      expect(disk.paths()).toEqual([auditPath]);
    }
  });

  it("is whole though the wall clock was set back and forth while it was written", async () => {
    const disk = createMemoryDisk();
    const clock = createHandClock();
    const { record, announce } = await openAuditBench({ disk, clock, mostBytes: 700 });
    for (const [index, byMs] of [3_600_000, -86_400_000, 0, 7_200_000].entries()) {
      clock.setWall(byMs);
      await announce(`c${index}`);
    }
    const closed = record.close(1_000);
    await clock.advance(1_000);
    await closed;
    expect(disk.paths().length).toBeGreaterThan(1);
    await expectWhole(disk, record);
  });

  it("comes up over a disk that fails, and opens the record when it can", async () => {
    const disk = createMemoryDisk();
    disk.faults.create = () => systemError("ENOSPC");
    const { record, announce } = await openAuditBench({ disk });
    expect((await announce("1"))?.message).toMatch(/its disk is full/);
    disk.faults.create = undefined;
    await until(() => record.report().available || undefined, soon);
    expect(await announce("2")).toBeUndefined();
    await record.close(1_000);
    await expectWhole(disk, record);
  });
});

describe("a file that somebody else touches", () => {
  const interferences = {
    removed: (disk: MemoryDisk) => disk.remove(auditPath),
    renamed: (disk: MemoryDisk) => disk.rename(auditPath, "/record/elsewhere"),
    cut: async (disk: MemoryDisk) => disk.put(auditPath, disk.text(auditPath).slice(0, 60)),
    emptied: async (disk: MemoryDisk) => disk.put(auditPath, ""),
    replaced: async (disk: MemoryDisk) => {
      await disk.remove(auditPath);
      disk.put(auditPath, "something else\n");
    },
    extended: async (disk: MemoryDisk) => disk.put(auditPath, `${disk.text(auditPath)}more\n`),
  };

  it.each(Object.entries(interferences))(
    "%s: is noticed within 5 s, and the chain goes on in a new file",
    async (_, interfere) => {
      const disk = createMemoryDisk();
      const clock = createHandClock();
      const { record, announce, events } = await openAuditBench({ disk, clock });
      await announce("1");
      const { head } = record.report();
      await interfere(disk);
      await clock.advance(5_000);
      await until(() => events.some(({ type }) => type === "audit-interfered") || undefined, soon);
      expect(await announce("2")).toBeUndefined();
      expect(disk.lines(auditPath)).toMatchObject([
        { type: "file", reason: "outside", last_seq: head.seq, last_hash: head.hash, open: [{ call: "1" }] },
        { type: "alarm", alarm: "audit-interfered" },
        { type: "call-begun", call: "2" },
      ]);
      expect(events.filter(({ type }) => type === "audit-interfered")).toHaveLength(1);
      // Nothing of anybody's was overwritten.
      if (disk.paths().includes(`${auditPath}.foreign`))
        expect(disk.text(`${auditPath}.foreign`)).toBe("something else\n");
    },
  );
});
