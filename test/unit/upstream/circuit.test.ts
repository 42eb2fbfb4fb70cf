import { beforeEach, describe, expect, it } from "vitest";

import { Problem } from "../../../src/errors.ts";
import { type CallEnd, CallerGone, type Response } from "../../../src/upstream/call.ts";
import { type Circuit, createCircuit } from "../../../src/upstream/circuit.ts";
import { createHandClock, type HandClock } from "../../support/hand-clock.ts";
import { plainCall } from "../../support/plain-call.ts";

let clock: HandClock;
let circuit: Circuit;
let sent: CallEnd[];
let ends: string[];

beforeEach(() => {
  clock = createHandClock();
  sent = [];
  ends = [];
  circuit = createCircuit({ clock, emit: () => {} }, () => (_call, end) => void sent.push(end));
});

function response(status: number, retryAfter?: string): Response {
  return {
    status,
    headers: retryAfter === undefined ? [] : ["Retry-After", retryAfter],
    body: Buffer.alloc(0),
  };
}

function call(): void {
  circuit.perform(plainCall(clock.monotonic()), {
    answered: ({ status }) => void ends.push(String(status)),
    failed: (error) =>
      void ends.push(error instanceof Problem ? `${error.code} ${error.retryAfter}` : String(error)),
  });
}

/** As the request path does: whoever sent it hears of it first. */
function answer(given: Response): void {
  circuit.heard(given);
  sent.shift()?.answered(given);
}

describe("the circuit", () => {
  it("keeps calls back for the time that Presto has named, and tells the seconds left", async () => {
    circuit.heard(response(429, "3"));
    call();
    await clock.advance(1_500);
    call();
    expect(sent).toEqual([]);
    expect(ends).toEqual(["overloaded 3", "overloaded 2"]);
  });

  it.each([
    [500, "3"],
    [200, "3"],
    [429, undefined],
    [503, "0"],
    [503, "-5"],
    [503, "soon"],
    [429, "1.5"],
    [429, "Thu, 01 Jan 1970 00:00:00 GMT"],
  ])("is not opened by %s with Retry-After %s", (status, retryAfter) => {
    circuit.heard(response(status, retryAfter));
    call();
    expect(sent.length).toBe(1);
  });

  it("lets one probe go when that time is over, and a good answer ends it", async () => {
    circuit.heard(response(503, "2"));
    await clock.advance(2_000);
    call();
    call();
    expect([sent.length, ends]).toEqual([1, ["overloaded 1"]]);
    answer(response(404));
    call();
    call();
    expect(sent.length).toBe(2);
  });

  it("gives the place of a probe that was abandoned to the next", async () => {
    circuit.heard(response(503, "2"));
    await clock.advance(2_000);
    call();
    sent.shift()?.failed(new CallerGone());
    call();
    expect(sent.length).toBe(1);
    call();
    expect(sent.length).toBe(1);
  });

  it("probes now and then while a long time lasts", async () => {
    circuit.heard(response(429, "50"));
    await clock.advance(5_000);
    call();
    call();
    expect(sent.length).toBe(1);
    answer(response(200));
    call();
    expect(sent.length).toBe(1);
  });

  it("is opened anew by a probe that is asked to wait", async () => {
    circuit.heard(response(429, "1"));
    await clock.advance(1_000);
    call();
    answer(response(429, "4"));
    call();
    expect(ends).toEqual(["429", "overloaded 4"]);
  });

  it.each(["600", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])(
    "lasts a minute at most, whatever is named: %s",
    async (field) => {
      circuit.heard(response(429, field));
      call();
      expect(ends).toEqual(["overloaded 60"]);
      await clock.advance(60_000);
      call();
      call();
      expect(sent.length).toBe(2);
    },
  );

  it.each(["-5", "0", "1.5", "soon", "", "0x10", "Wed, 21 Oct 2015 07:28:00 GMT", "2999-01-01"])(
    "is not opened by what names no time to come: %j",
    (field) => {
      circuit.heard(response(503, field));
      call();
      expect([ends, sent.length]).toEqual([[], 1]);
    },
  );

  it("waits neither less nor longer when the wall clock is set meanwhile", async () => {
    circuit.heard(response(429, "30"));
    clock.setWall(-3_600_000);
    await clock.advance(4_999);
    call();
    expect(ends).toEqual(["overloaded 26"]);
    clock.setWall(7_200_000);
    call();
    expect(ends.at(-1)).toBe("overloaded 26");
  });
});
