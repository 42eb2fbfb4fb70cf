import { describe, expect, it } from "vitest";

import { cancel } from "../../../src/lib/async.ts";
import { createLimiter } from "../../../src/upstream/limiter.ts";
import { settled } from "../../support/hand-clock.ts";
import { plainCall } from "../../support/plain-call.ts";

const limits = { maxInFlight: 1, maxQueue: 1, maxBuffered: 100 };

describe("the limiter", () => {
  it("refuses a call when as many are being sent and wait as may", async () => {
    const limiter = createLimiter(limits);
    expect(limiter.tryAcquire()).toBe(true);
    expect(limiter.isFull(1)).toBe(false);
    void limiter.acquire(plainCall(0));
    expect(limiter.isFull(1)).toBe(true);
    await expect(limiter.acquire(plainCall(0))).rejects.toMatchObject({
      code: "overloaded",
      outcome: "not-sent",
    });
  });

  it("hands a freed turn to the first that waits, past one that has gone", async () => {
    const limiter = createLimiter({ ...limits, maxQueue: 3 });
    limiter.tryAcquire();
    const [gone, first, second] = [plainCall(0), plainCall(0), plainCall(0)];
    const order: string[] = [];
    const left = limiter.acquire(gone).catch((error: unknown) => error);
    void limiter.acquire(first).then(() => order.push("first"));
    void limiter.acquire(second).then(() => order.push("second"));
    cancel(gone, "caller-gone");
    expect(await left).toMatchObject({ name: "CallerGone" });
    limiter.release();
    await settled();
    expect(order).toEqual(["first"]);
    expect(limiter.load()).toEqual({ inFlight: 1, queued: 1, buffered: 0 });
  });

  it("refuses a call at once whose time ran out before it came to the queue", async () => {
    const limiter = createLimiter(limits);
    limiter.tryAcquire();
    const late = plainCall(0);
    cancel(late, "deadline");
    await expect(limiter.acquire(late)).rejects.toMatchObject({ code: "overloaded" });
    expect(limiter.load().queued).toBe(0);
  });

  it("counts memory, and takes none of what is not there", () => {
    const limiter = createLimiter(limits);
    expect(limiter.reserve(60)).toBe(true);
    expect(limiter.reserve(41)).toBe(false);
    expect(limiter.reserve(40)).toBe(true);
    limiter.free(100);
    expect(limiter.load().buffered).toBe(0);
  });
});

describe("the moment in which no call is being sent", () => {
  it("is now, if none is", () => {
    const limiter = createLimiter(limits);
    let quiet = 0;
    limiter.whenQuiet(() => {
      quiet += 1;
    });
    expect(quiet).toBe(1);
  });

  it("comes with the end of the last one, and is told of once", () => {
    const limiter = createLimiter({ ...limits, maxInFlight: 2 });
    limiter.tryAcquire();
    limiter.tryAcquire();
    let quiet = 0;
    limiter.whenQuiet(() => {
      quiet += 1;
    });
    limiter.release();
    expect(quiet).toBe(0);
    limiter.release();
    expect(quiet).toBe(1);
    limiter.tryAcquire();
    limiter.release();
    expect(quiet).toBe(1);
  });

  it("does not come while a turn goes from one call to the next", async () => {
    const limiter = createLimiter(limits);
    limiter.tryAcquire();
    const next = limiter.acquire(plainCall(0));
    let quiet = 0;
    limiter.whenQuiet(() => {
      quiet += 1;
    });
    limiter.release();
    await next;
    expect(quiet).toBe(0);
    limiter.release();
    expect(quiet).toBe(1);
  });

  it("does not wait for calls that are held: they wait for the renewal", () => {
    const limiter = createLimiter(limits);
    expect(limiter.tryEnqueue()).toBe(true);
    let quiet = 0;
    limiter.whenQuiet(() => {
      quiet += 1;
    });
    expect(quiet).toBe(1);
  });

  it("is not told of to whoever called it off", () => {
    const limiter = createLimiter(limits);
    limiter.tryAcquire();
    let quiet = 0;
    const callOff = limiter.whenQuiet(() => {
      quiet += 1;
    });
    callOff();
    limiter.release();
    expect(quiet).toBe(0);
  });
});
