import { describe, expect, it } from "vitest";

import { cancel } from "../../../src/lib/async.ts";
import { createLimiter } from "../../../src/upstream/limiter.ts";
import { settled } from "../../support/hand-clock.ts";
import { plainCall } from "../../support/plain-call.ts";

const limits = { maxInFlight: 1, maxQueue: 1, maxBuffered: 100 };

describe("admission", () => {
  it("refuses a call when as many are being sent and wait as may", async () => {
    const admission = createLimiter(limits);
    expect(admission.tryAcquire()).toBe(true);
    expect(admission.isFull(1)).toBe(false);
    void admission.acquire(plainCall(0));
    expect(admission.isFull(1)).toBe(true);
    await expect(admission.acquire(plainCall(0))).rejects.toMatchObject({
      code: "overloaded",
      outcome: "not-sent",
    });
  });

  it("hands a freed turn to the first that waits, past one that has gone", async () => {
    const admission = createLimiter({ ...limits, maxQueue: 3 });
    admission.tryAcquire();
    const [gone, first, second] = [plainCall(0), plainCall(0), plainCall(0)];
    const order: string[] = [];
    const left = admission.acquire(gone).catch((error: unknown) => error);
    void admission.acquire(first).then(() => order.push("first"));
    void admission.acquire(second).then(() => order.push("second"));
    cancel(gone, "caller-gone");
    expect(await left).toMatchObject({ name: "CallerGone" });
    admission.release();
    await settled();
    expect(order).toEqual(["first"]);
    expect(admission.load()).toEqual({ inFlight: 1, queued: 1, buffered: 0 });
  });

  it("refuses a call at once whose time ran out before it came to the queue", async () => {
    const admission = createLimiter(limits);
    admission.tryAcquire();
    const late = plainCall(0);
    cancel(late, "deadline");
    await expect(admission.acquire(late)).rejects.toMatchObject({ code: "overloaded" });
    expect(admission.load().queued).toBe(0);
  });

  it("counts memory, and takes none of what is not there", () => {
    const admission = createLimiter(limits);
    expect(admission.reserve(60)).toBe(true);
    expect(admission.reserve(41)).toBe(false);
    expect(admission.reserve(40)).toBe(true);
    admission.free(100);
    expect(admission.load().buffered).toBe(0);
  });
});

describe("the moment in which no call is being sent", () => {
  it("is now, if none is", () => {
    const admission = createLimiter(limits);
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    expect(quiet).toBe(1);
  });

  it("comes with the end of the last one, and is told of once", () => {
    const admission = createLimiter({ ...limits, maxInFlight: 2 });
    admission.tryAcquire();
    admission.tryAcquire();
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    admission.release();
    expect(quiet).toBe(0);
    admission.release();
    expect(quiet).toBe(1);
    admission.tryAcquire();
    admission.release();
    expect(quiet).toBe(1);
  });

  it("does not come while a turn goes from one call to the next", async () => {
    const admission = createLimiter(limits);
    admission.tryAcquire();
    const next = admission.acquire(plainCall(0));
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    admission.release();
    await next;
    expect(quiet).toBe(0);
    admission.release();
    expect(quiet).toBe(1);
  });

  it("does not wait for calls that are held: they wait for the renewal", () => {
    const admission = createLimiter(limits);
    expect(admission.tryEnqueue()).toBe(true);
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    expect(quiet).toBe(1);
  });

  it("is not told of to whoever called it off", () => {
    const admission = createLimiter(limits);
    admission.tryAcquire();
    let quiet = 0;
    const callOff = admission.whenQuiet(() => {
      quiet += 1;
    });
    callOff();
    admission.release();
    expect(quiet).toBe(0);
  });
});
