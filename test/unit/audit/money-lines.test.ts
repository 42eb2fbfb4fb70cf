import { describe, expect, it } from "vitest";

import { createMoneyRecord } from "../../../src/audit/money-lines.ts";
import type { AuditRecord } from "../../../src/audit/types.ts";
import { systemClock } from "../../../src/clock.ts";
import { Problem } from "../../../src/errors.ts";
import type { MoneyRecord, Sending } from "../../../src/money/record.ts";
import type { Call } from "../../../src/upstream/call.ts";
import type { Reference } from "../../../src/upstream/references.ts";
import { auditPath, entryTypes, openAuditBench } from "../../support/audit-bench.ts";
import { createMemoryDisk, type MemoryDisk, systemError } from "../../support/memory-disk.ts";
import { plainCall } from "../../support/plain-call.ts";
import { until } from "../../support/until.ts";

const soon = { withinMs: 20_000, what: "what the test waits for" };

interface Bench {
  readonly disk: MemoryDisk;
  readonly record: AuditRecord;
  readonly money: MoneyRecord;
}

async function open(whenUnavailable: "refuse" | "continue" = "refuse"): Promise<Bench> {
  const disk = createMemoryDisk();
  const { record } = await openAuditBench({ disk, whenUnavailable });
  const pod = { name: "app-0", namespace: "bank" };
  return { disk, record, money: createMoneyRecord(record, { pod, clock: systemClock }) };
}

function confirm(...references: string[]): Call {
  const call = plainCall(0, 20_000, "wallet.confirm");
  return Object.assign(call, {
    peer: "127.0.0.1:1",
    traceId: "a".repeat(32),
    money: {
      references: (references.length === 0 ? ["TRX-1"] : references).map(named),
      unread: undefined,
      verdict: undefined,
    },
  });
}

const sendingOf = (call: Call, number = 1): Sending => ({ call, number, generation: 3 });

const named = (text: string): Reference => ({ text, isNumber: false, key: text.toLowerCase() });

describe("whose money has moved", () => {
  const completed = (reference: string) => ({
    operation: "wallet.confirm",
    reference,
    at: expect.any(String),
  });

  it("is what the next start learns, also behind a rotation and a crash", async () => {
    const { disk, record, money } = await open();
    for (const reference of ["TRX-1", "TRX-2"]) {
      const sending = sendingOf(confirm(reference));
      await money.begin(sending);
      money.end(sending, { kind: "answered", status: 200, verdict: "completed" });
    }
    money.settled({
      operation: "wallet.confirm",
      reference: "TRX-3",
      requestId: "r-9",
      status: "completed",
      by: "presto",
    });
    await record.close(1_000);
    const all = ["TRX-1", "TRX-2", "TRX-3"].map(completed);
    const next = await openAuditBench({ disk, mostBytes: 1 });
    expect(next.completed).toEqual(all);
    // Each line makes a new file now.
    next.end("x");
    await until(() => next.record.report().file > 1 || undefined, soon);
    await next.record.close(1_000);
    disk.put(auditPath, disk.text(auditPath) + '{"seq":');
    expect((await openAuditBench({ disk })).completed).toEqual(all);
  });

  it("is forgotten by a person's word that it has failed", async () => {
    const { disk, record, money } = await open();
    const sending = sendingOf(confirm("TRX-1"));
    await money.begin(sending);
    money.end(sending, { kind: "answered", status: 200, verdict: "completed" });
    money.settled({
      operation: "wallet.confirm",
      reference: " trx-1",
      requestId: "none",
      status: "failed",
      by: "person",
    });
    await record.close(1_000);
    expect((await openAuditBench({ disk })).completed).toEqual([]);
  });

  it("of several in one call is what its answer names; the others stay open", async () => {
    const { disk, record, money } = await open();
    const sending = sendingOf(confirm("TRX-A", "TRX-B"));
    await money.begin(sending);
    money.end(sending, {
      kind: "answered",
      status: 200,
      verdict: "completed",
      left: [named("TRX-A")],
    });
    await record.close(1_000);
    expect(disk.lines(auditPath).at(-1)).toMatchObject({ open: true, open_references: ["TRX-A"] });
    const next = await openAuditBench({ disk });
    expect(next.completed).toEqual([completed("TRX-B")]);
    expect(next.found).toMatchObject([{ references: ["TRX-A"] }]);
  });
});

describe("a sending of a call that moves money", () => {
  it("has a line before it and one at its end", async () => {
    const { disk, record, money } = await open();
    const sending = sendingOf(confirm());
    await money.begin(sending);
    expect(record.report().open).toBe(1);
    money.end(sending, { kind: "answered", status: 200, verdict: "completed" });
    await record.close(1_000);
    const [, begun, ended] = disk.lines(auditPath);
    expect(begun).toMatchObject({
      type: "call-begun",
      request_id: "r-1",
      attempt: 1,
      operation: "wallet.confirm",
      references: ["TRX-1"],
      generation: 3,
      peer: "127.0.0.1:1",
      pod: "app-0",
      namespace: "bank",
      trace_id: "a".repeat(32),
    });
    expect(ended).toMatchObject({
      type: "call-ended",
      call: begun?.["call"],
      outcome: "answered",
      status: 200,
      verdict: "completed",
      open: false,
    });
    expect(record.report().open).toBe(0);
  });

  it("that ends unclear is open until it is settled", async () => {
    const { record, money } = await open();
    const unclear = sendingOf(confirm());
    await money.begin(unclear);
    money.end(unclear, { kind: "unknown", error: new Problem("upstream-broken", { detail: "lost" }) });
    const fivehundred = sendingOf(Object.assign(confirm(), { requestId: "r-2" }));
    await money.begin(fivehundred);
    money.end(fivehundred, { kind: "answered", status: 500, verdict: "unclear" });
    await until(() => record.report().open === 2 || undefined, soon);
    const settled = {
      operation: "wallet.confirm",
      reference: "TRX-1",
      status: "completed",
      by: "presto",
    } as const;
    money.settled({ ...settled, requestId: "r-1" });
    await until(() => record.report().open === 1 || undefined, soon);
    money.settled({ ...settled, requestId: "r-2" });
    await until(() => record.report().open === 0 || undefined, soon);
    await record.close(1_000);
  });

  it("is one of several of its call, which is over with the last", async () => {
    const { disk, record, money } = await open();
    const call = confirm();
    const [first, second] = [sendingOf(call), sendingOf(call, 2)];
    await money.begin(first);
    money.end(first, { kind: "answered", status: 401, verdict: "unclear" });
    await money.begin(second);
    money.end(second, { kind: "answered", status: 200, verdict: "completed" });
    await record.close(1_000);
    const lines = disk.lines(auditPath).slice(1);
    expect(lines.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
    expect(new Set(lines.map((line) => line["call"])).size).toBe(1);
    expect(record.report().open).toBe(0);
  });

  it("is refused, not sent, where its line can't be written; its end is not told then", async () => {
    const { disk, money } = await open();
    disk.faults.append = () => 0;
    disk.faults.create = () => systemError("ENOSPC");
    const refusal = await Promise.resolve(money.begin(sendingOf(confirm()))).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "audit-unavailable",
      status: 503,
      outcome: "not-sent",
      retryAfter: 1,
    });
  });

  it("that was given up before its line was durable was not sent, and is not open", async () => {
    const { disk, record, money } = await open();
    const syncing = Promise.withResolvers<void>();
    disk.faults.sync = () => syncing.promise;
    const sending = sendingOf(confirm());
    void money.begin(sending);
    await until(() => disk.log.at(-1) === "sync" || undefined, soon);
    money.end(sending, { kind: "not-sent", error: new Problem("audit-unavailable", { detail: "late" }) });
    disk.faults.sync = undefined;
    syncing.resolve();
    await record.close(1_000);
    expect(entryTypes(disk)).toEqual(["file", "call-begun", "call-ended"]);
    expect(record.report().open).toBe(0);
  });

  it("goes on without its line where that is configured", async () => {
    const { disk, record, money } = await open("continue");
    disk.faults.append = () => 0;
    disk.faults.create = () => systemError("ENOSPC");
    const sending = sendingOf(confirm());
    await money.begin(sending);
    money.end(sending, { kind: "answered", status: 200, verdict: "completed" });
    disk.faults.append = undefined;
    disk.faults.create = undefined;
    await until(() => record.report().available || undefined, soon);
    await record.close(1_000);
    expect(entryTypes(disk)).toEqual(["file", "call-begun", "call-ended"]);
  });
});
