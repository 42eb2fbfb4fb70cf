import { describe, expect, it } from "vitest";

import { interrupt } from "../../../src/lib/async.ts";
import { createAdmission } from "../../../src/upstream/limiter.ts";
import { settled } from "../../support/hand-clock.ts";
import { plainCall } from "../../support/plain-call.ts";

const limits = { maxInFlight: 1, maxQueue: 1, maxBuffered: 100 };

describe("admission", () => {
  it("refuses a call when as many are being sent and wait as may", async () => {
    const admission = createAdmission(limits);
    expect(admission.tryTake()).toBe(true);
    expect(admission.full(1)).toBe(false);
    void admission.take(plainCall(0));
    expect(admission.full(1)).toBe(true);
    await expect(admission.take(plainCall(0))).rejects.toMatchObject({
      code: "overloaded",
      outcome: "not-sent",
    });
  });

  it("hands a freed turn to the first that waits, past one that has gone", async () => {
    const admission = createAdmission({ ...limits, maxQueue: 3 });
    admission.tryTake();
    const [gone, first, second] = [plainCall(0), plainCall(0), plainCall(0)];
    const order: string[] = [];
    const left = admission.take(gone).catch((error: unknown) => error);
    void admission.take(first).then(() => order.push("first"));
    void admission.take(second).then(() => order.push("second"));
    interrupt(gone, "caller-gone");
    expect(await left).toMatchObject({ name: "CallerGone" });
    admission.give();
    await settled();
    expect(order).toEqual(["first"]);
    expect(admission.load()).toEqual({ inFlight: 1, queued: 1, buffered: 0 });
  });

  it("refuses a call at once whose time ran out before it came to the queue", async () => {
    const admission = createAdmission(limits);
    admission.tryTake();
    const late = plainCall(0);
    interrupt(late, "deadline");
    await expect(admission.take(late)).rejects.toMatchObject({ code: "overloaded" });
    expect(admission.load().queued).toBe(0);
  });

  it("counts memory, and takes none of what is not there", () => {
    const admission = createAdmission(limits);
    expect(admission.hold(60)).toBe(true);
    expect(admission.hold(41)).toBe(false);
    expect(admission.hold(40)).toBe(true);
    admission.drop(100);
    expect(admission.load().buffered).toBe(0);
  });
});

describe("the moment in which no call is being sent", () => {
  it("is now, if none is", () => {
    const admission = createAdmission(limits);
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    expect(quiet).toBe(1);
  });

  it("comes with the end of the last one, and is told of once", () => {
    const admission = createAdmission({ ...limits, maxInFlight: 2 });
    admission.tryTake();
    admission.tryTake();
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    admission.give();
    expect(quiet).toBe(0);
    admission.give();
    expect(quiet).toBe(1);
    admission.tryTake();
    admission.give();
    expect(quiet).toBe(1);
  });

  it("does not come while a turn goes from one call to the next", async () => {
    const admission = createAdmission(limits);
    admission.tryTake();
    const next = admission.take(plainCall(0));
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    admission.give();
    await next;
    expect(quiet).toBe(0);
    admission.give();
    expect(quiet).toBe(1);
  });

  it("does not wait for calls that are held: they wait for the renewal", () => {
    const admission = createAdmission(limits);
    expect(admission.tryEnter()).toBe(true);
    let quiet = 0;
    admission.whenQuiet(() => {
      quiet += 1;
    });
    expect(quiet).toBe(1);
  });

  it("is not told of to whoever called it off", () => {
    const admission = createAdmission(limits);
    admission.tryTake();
    let quiet = 0;
    const callOff = admission.whenQuiet(() => {
      quiet += 1;
    });
    callOff();
    admission.give();
    expect(quiet).toBe(0);
  });
});
