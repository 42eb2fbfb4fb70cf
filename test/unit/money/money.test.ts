import { once } from "node:events";
import { PassThrough } from "node:stream";

import { beforeEach, describe, expect, it } from "vitest";

import { Problem } from "../../../src/errors.ts";
import { cancel } from "../../../src/lib/async.ts";
import { type Attempt, createGuard, mostOpen } from "../../../src/money/guard.ts";
import { CallerGone } from "../../../src/upstream/call.ts";
import {
  type BenchCall,
  createMoneyBench,
  endOf,
  type MoneyBench,
  unaskable,
} from "../../support/money-bench.ts";
import { walletOperation } from "../../support/plain-call.ts";

let bench: MoneyBench;

beforeEach(() => {
  bench = createMoneyBench();
});

const said = (status: string): string => JSON.stringify({ data: { status } });
const lost = (): Problem => new Problem("upstream-broken", { detail: "the answer was lost" });
const notSent = (): Problem => new Problem("upstream-unreachable", { detail: "nobody is there" });

function codeOf({ told }: BenchCall): unknown {
  return told?.what instanceof Problem ? told.what.code : told?.what;
}

/** A confirm whose answer is lost, after Presto was asked. */
async function unknown(reference: string): Promise<BenchCall> {
  const call = bench.confirm(reference);
  endOf(call.end).failed(lost());
  await bench.clock.advance(0);
  return call;
}

/** Was it sent? */
function isSent(reference: string): boolean {
  return bench.confirm(reference).end !== undefined;
}

describe("an entry is freed only by the attempt that took it:", () => {
  it("a second call that is refused frees nothing, though it fails", () => {
    bench.confirm("T1");
    const second = bench.confirm("T1");
    expect([codeOf(second), second.end]).toEqual(["duplicate-confirm", undefined]);
    expect(isSent("T1")).toBe(false);
  });

  it("a fault of this program's own frees what was not sent", () => {
    bench = createMoneyBench({}, (call) => {
      call.attempts = 0;
      throw new Error("a fault");
    });
    expect(codeOf(bench.confirm("T1"))).toBeInstanceOf(Error);
    expect(codeOf(bench.confirm("T1"))).toBeInstanceOf(Error);
  });

  it("one after the first byte leaves it open", async () => {
    bench = createMoneyBench({}, () => {
      throw new Error("a fault");
    });
    bench.confirm("T1");
    await bench.clock.advance(20_000);
    expect(codeOf(bench.confirm("T1"))).toBe("duplicate-confirm");
  });

  it("an end that is told twice counts once", () => {
    const first = bench.confirm("T1");
    endOf(first.end).failed(notSent());
    const second = bench.confirm("T1");
    expect(second.end).toBeDefined();
    // The first attempt's late word must not free what the second one holds.
    endOf(first.end).failed(notSent());
    expect(codeOf(bench.confirm("T1"))).toBe("duplicate-confirm");
  });

  it("an attempt that was given back once gives back nothing that another holds", () => {
    const guard = createGuard({ clock: bench.clock, settleMs: 0, onChange: () => {} });
    const call = bench.confirm("T1").call;
    const first = guard.take(call);
    if (!("entries" in first)) throw new Error("it was refused");
    guard.free(first);
    const second = guard.take(call);
    for (const late of [guard.free, guard.open, (attempt: Attempt) => guard.complete(attempt, [])])
      late(first);
    expect("entries" in second).toBe(true);
    expect("problem" in guard.take(call)).toBe(true);
    expect(guard.list()).toEqual([]);
  });

  it("a caller that goes before anything was written frees it, and one that goes later does not", async () => {
    const first = bench.confirm("T1");
    first.call.attempts = 0;
    endOf(first.end).failed(new CallerGone());
    expect(isSent("T1")).toBe(true);
    const third = bench.confirm("T2");
    third.call.cancelReason = "caller-gone";
    endOf(third.end).failed(lost());
    // Nobody waits for it; it is asked about all the same.
    expect(codeOf(third)).toBe("upstream-broken");
    await bench.clock.advance(0);
    expect(bench.questions.length).toBe(1);
    expect(isSent("T2")).toBe(false);
  });
});

describe("a success without a reference that is passed on as it comes", () => {
  const streamed = (): { readonly end: BenchCall; readonly stream: PassThrough } => {
    const stream = new PassThrough();
    const end = bench.confirm("T1", { operation: unaskable, requestId: "r-7" });
    if (end.call.money !== undefined) end.call.money.verdict = "completed";
    endOf(end.end).answered({ status: 200, headers: [], body: stream });
    return { end, stream };
  };

  it("counts once it is whole", async () => {
    const { end, stream } = streamed();
    expect(end.told).toEqual({ what: 200, transaction: undefined });
    stream.resume();
    stream.end("all of it");
    await once(stream, "close");
    expect(bench.money.outcomes.summary().open).toBe(0);
  });

  it("is unclear where it is cut", async () => {
    const { stream } = streamed();
    stream.write("a part");
    stream.resume();
    expect(bench.money.outcomes.summary().open).toBe(0);
    stream.destroy();
    await once(stream, "close");
    expect(bench.money.outcomes.open()).toMatchObject([{ requestId: "r-7", unaskable: "no-ask" }]);
    expect(bench.events).toContainEqual(expect.objectContaining({ type: "outcome-open" }));
  });
});

describe("what is asked about", () => {
  it("is told to the caller, and settles", async () => {
    bench.says(said("completed"));
    const call = await unknown("T1");
    expect(call.told).toMatchObject({ transaction: { reference: "T1", status: "completed" } });
    expect(bench.money.outcomes.summary()).toEqual({ open: 0, oldestMs: undefined });
    expect(codeOf(bench.confirm("t1"))).toBe("duplicate-confirm");
    expect(bench.settled).toMatchObject([{ reference: "T1", status: "completed", by: "presto" }]);
  });

  it("is told as not known where no answer comes in the caller's time, and asked about on", async () => {
    const call = bench.confirm("T1");
    endOf(call.end).failed(lost());
    await bench.clock.advance(19_999);
    expect(bench.questions.length).toBeGreaterThan(1);
    bench.says(said("completed"));
    await bench.clock.advance(70_000);
    expect(bench.money.outcomes.summary().open).toBe(0);
    expect(call.told?.transaction).toMatchObject({ status: "not-known" });
  });

  it("keeps the caller of an answer that is in hand for two seconds at most", async () => {
    const call = bench.confirm("T1");
    call.answer(500, "unclear");
    await bench.clock.advance(1_999);
    expect(call.told).toBeUndefined();
    await bench.clock.advance(1);
    expect(call.told).toEqual({ what: 500, transaction: "not-known" });
  });

  it("keeps no caller longer than a process that ends has time", async () => {
    let lastAt = 20_000;
    const call = bench.confirm("T1");
    Object.defineProperty(call.call, "lastAt", { get: () => lastAt });
    endOf(call.end).failed(lost());
    await bench.clock.advance(100);
    lastAt = 350;
    cancel(call.call, "deadline");
    await bench.clock.advance(249);
    expect(call.told).toBeUndefined();
    await bench.clock.advance(1);
    expect(call.told?.transaction).toMatchObject({ reference: "T1", status: "not-known" });
  });

  it("lets a caller go that hangs up while it is asked", async () => {
    const call = bench.confirm("T1");
    endOf(call.end).failed(lost());
    cancel(call.call, "caller-gone");
    expect(codeOf(call)).toBe("upstream-broken");
    expect(bench.money.outcomes.summary().open).toBe(1);
  });

  it("goes on being closed when failed is heard early, and opens when it is heard late", async () => {
    bench.says(said("failed"));
    const call = await unknown("T1");
    expect(call.told?.transaction).toMatchObject({ status: "failed" });
    await bench.clock.advance(89_000);
    const early = bench.confirm("T1");
    expect(early.told?.what).toMatchObject({ code: "duplicate-confirm", retryAfter: 1 });
    await bench.clock.advance(1_000);
    expect(isSent("T1")).toBe(true);
    expect(bench.settled).toMatchObject([{ reference: "T1", status: "failed" }]);
  });

  it("raises an error when completed is heard after failed, and is closed again", async () => {
    bench.says(said("failed"));
    await unknown("T1");
    await bench.clock.advance(90_000);
    expect(bench.money.outcomes.summary().open).toBe(0);
    bench.says(said("completed"));
    await bench.clock.advance(60_000);
    expect(bench.events).toContainEqual(expect.objectContaining({ type: "completed-after-failed" }));
    expect(bench.money.outcomes.recent()[0]).toMatchObject({ status: "completed", contradicts: true });
    expect(codeOf(bench.confirm("T1"))).toBe("duplicate-confirm");
  });

  it("stays closed and listed when PRESTO_SETTLE_OUTCOMES has passed, whatever the wall clock says", async () => {
    bench.says(said("pending"));
    await unknown("T1");
    await bench.clock.advance(3_600_000);
    expect(bench.events).toContainEqual(expect.objectContaining({ type: "outcome-given-up" }));
    const asked = bench.questions.length;
    await bench.clock.advance(24 * 3_600_000);
    expect(bench.questions.length).toBe(asked);
    expect(bench.money.outcomes.open()).toMatchObject([{ reference: "T1", heard: "pending", stopped: true }]);
    const late = bench.confirm("T1");
    expect(late.told?.what).toMatchObject({ code: "duplicate-confirm", retryAfter: undefined });
  });

  it.each([
    "-5",
    "0",
    "soon",
    "99999999999",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
  ])("is asked about neither in a loop nor hours later after a Retry-After of %j", async (pause) => {
    await unknown("T1");
    bench.pauses(pause);
    bench.says(said("pending"));
    const before = bench.questions.length;
    await bench.clock.advance(1_000);
    expect(bench.questions.length - before).toBeLessThan(3);
    await bench.clock.advance(600_000);
    expect(bench.questions.length - before).toBeGreaterThan(8);
    expect(bench.questions.length - before).toBeLessThan(20);
  });

  it("is settled no sooner and no later when the wall clock is set meanwhile", async () => {
    bench.says(said("failed"));
    await unknown("T1");
    bench.clock.setWall(24 * 3_600_000);
    await bench.clock.advance(60_000);
    expect(isSent("T1")).toBe(false);
    bench.clock.setWall(-48 * 3_600_000);
    await bench.clock.advance(30_000);
    expect(isSent("T1")).toBe(true);
    bench.says(said("pending"));
    await unknown("T2");
    bench.clock.setWall(48 * 3_600_000);
    await bench.clock.advance(120_000);
    expect(bench.money.outcomes.open().at(-1)).toMatchObject({ reference: "T2", stopped: false });
  });

  it("is asked about ever more seldom, at least once a minute", async () => {
    await unknown("T1");
    bench.says(new Error("gone"));
    await bench.clock.advance(600_000);
    expect(bench.questions.length).toBeGreaterThan(12);
    expect(bench.questions.length).toBeLessThan(20);
  });
});

describe("what an earlier process has left by its record", () => {
  const operation = walletOperation("wallet.confirm");

  it("is closed and asked about; what had completed is known, for what is left of its day", async () => {
    const hourAgo = new Date(bench.clock.now() - 3_600_000);
    bench.money.reopen(
      [{ operation, references: ["T1"], requestId: "r-1", at: hourAgo }],
      [{ operation, reference: "T2", at: hourAgo }],
    );
    await bench.clock.advance(0);
    expect(bench.questions).toEqual(["/api/institutions/v1/wallet/transaction/T1"]);
    expect([isSent("T1"), isSent(" t2")]).toEqual([false, false]);
    expect(bench.confirm("T2").told?.transaction).toEqual({
      reference: "T2",
      status: "completed",
      askedAt: hourAgo,
    });
    await bench.clock.advance(23 * 3_600_000);
    expect(isSent("T2")).toBe(true);
  });

  it("is known to a call that came before the record could be read: it was refused, and waits for nothing", () => {
    bench.refuses(new Problem("audit-unavailable", { detail: "its disk does not answer" }));
    const early = ["T1", "T2"].map((reference) => bench.confirm(reference));
    expect(early.map(codeOf)).toEqual(["audit-unavailable", "audit-unavailable"]);
    expect(early.map(({ end }) => end)).toEqual([undefined, undefined]);
    const at = new Date(bench.clock.now());
    bench.money.reopen(
      [{ operation, references: ["T1"], requestId: "r-1", at }],
      [{ operation, reference: "T2", at }],
    );
    expect(bench.money.outcomes.open()).toMatchObject([{ reference: "T1" }]);
    // What is known of a transaction says more than that the record is away.
    const known = (): unknown[] => ["T1", "T2"].map((reference) => codeOf(bench.confirm(reference)));
    expect(known()).toEqual(["duplicate-confirm", "duplicate-confirm"]);
    bench.refuses(undefined);
    expect(known()).toEqual(["duplicate-confirm", "duplicate-confirm"]);
  });
});

describe("a person", () => {
  it("opens or closes what is open", async () => {
    await unknown("T1");
    await unknown("T2");
    expect(bench.money.outcomes.resolve(" t1", "failed")).toBe("resolved");
    expect(bench.money.outcomes.resolve("T2", "completed")).toBe("resolved");
    expect([isSent("T1"), isSent("T2")]).toEqual([true, false]);
    expect(bench.money.outcomes.resolve("T3", "failed")).toBe("not-known");
    expect(bench.settled).toMatchObject([
      { reference: "T1", status: "failed", by: "person" },
      { reference: "T2", status: "completed", by: "person" },
    ]);
  });

  it("opens none whose call is under way, and may open one that was completed", () => {
    const call = bench.confirm("T1");
    expect(bench.money.outcomes.resolve("T1", "failed")).toBe("in-flight");
    call.answer(200, "completed", '{"data":{"transaction_reference":"T1"}}');
    expect(codeOf(bench.confirm("T1"))).toBe("duplicate-confirm");
    expect(bench.money.outcomes.resolve("T1", "failed")).toBe("resolved");
    expect(isSent("T1")).toBe(true);
  });

  it("resolves a call without a transaction by its id", () => {
    const call = bench.confirm("T1", { operation: unaskable, requestId: "r-77" });
    endOf(call.end).failed(lost());
    expect(bench.money.outcomes.open()).toMatchObject([
      { reference: undefined, requestId: "r-77", unaskable: "no-ask" },
    ]);
    expect(bench.money.outcomes.resolve("r-77", "completed")).toBe("resolved");
    expect(bench.money.outcomes.summary().open).toBe(0);
  });
});

describe("bounds:", () => {
  it("so many may be under way or open; more are refused, and none is forgotten", async () => {
    for (let index = 0; index < mostOpen; index += 1) bench.confirm(`T${index}`);
    const more = bench.confirm("T-more");
    expect(more.told?.what).toMatchObject({ code: "overloaded", outcome: "not-sent" });
    expect(bench.confirm("T-none", { operation: unaskable }).told?.what).toMatchObject({
      code: "overloaded",
    });
    expect(codeOf(bench.confirm("T0"))).toBe("duplicate-confirm");
  });

  it("of several references in one body the answer completes its own, and the others stay open", async () => {
    const body = Buffer.from('{"transaction_reference":"A","transaction_reference":"B"}');
    bench.confirm("-", { body }).answer(200, "completed", '{"data":{"transaction_reference":"B"}}');
    expect([isSent("A"), isSent("B")]).toEqual([false, false]);
    expect(bench.money.outcomes.open()).toMatchObject([{ reference: "A" }]);
  });
});
