import { describe, expect, it } from "vitest";

import { createMoneyRecord } from "../../../src/audit/money-lines.ts";
import type { AuditRecord } from "../../../src/audit/types.ts";
import { systemClock } from "../../../src/clock.ts";
import { Problem } from "../../../src/errors.ts";
import type { MoneyRecord, Sending } from "../../../src/money/record.ts";
import type { Call } from "../../../src/upstream/call.ts";
import { auditPath, entryTypes, openAuditBench } from "../../support/audit-bench.ts";
import { createMemoryDisk, type MemoryDisk, systemError } from "../../support/memory-disk.ts";
import { plainCall } from "../../support/plain-call.ts";
import { until } from "../../support/until.ts";

const soon = { withinMs: 5_000, what: "what the test waits for" };

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

function confirm(): Call {
  const call = plainCall(0, 20_000, "wallet.confirm");
  const reference = { text: "TRX-1", isNumber: false, key: "trx-1" };
  return Object.assign(call, {
    peer: "127.0.0.1:1",
    traceId: "a".repeat(32),
    money: { references: [reference], unread: undefined, verdict: undefined },
  });
}

const sendingOf = (call: Call, number = 1): Sending => ({ call, number, generation: 3 });

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
