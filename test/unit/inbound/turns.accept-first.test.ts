import { setImmediate as nextTurn } from "node:timers/promises";

import { beforeEach, describe, expect, it } from "vitest";

import { type AcceptFirst, createAcceptFirst } from "../../../src/inbound/turns.ts";

let now: number;
let acceptFirst: AcceptFirst;
beforeEach(() => {
  now = 0;
  acceptFirst = createAcceptFirst({ monotonic: () => now });
});

/** Turns of the event loop until requests are served again, of which each brings a connection until `until`. */
async function turnsHeld(first: number, until = first): Promise<number> {
  let turns = 0;
  acceptFirst.connected(first);
  while (acceptFirst.isHolding()) {
    await nextTurn();
    turns += 1;
    if (first + turns <= until) acceptFirst.connected(first + turns);
  }
  return turns;
}

describe("a wave of connections", () => {
  it("is let in before a request is served, and then they are, in their order", async () => {
    const served: string[] = [];
    acceptFirst.connected(1);
    acceptFirst.hold(() => served.push("first"));
    await nextTurn();
    acceptFirst.connected(2);
    acceptFirst.hold(() => served.push("second"));
    await nextTurn();
    expect(served).toEqual([]);
    await nextTurn();
    expect(served).toEqual(["first", "second"]);
    expect(acceptFirst.isHolding()).toBe(false);
  });

  it("is waited for as long as each turn brings one, and two milliseconds at most", async () => {
    expect(await turnsHeld(1, 40)).toBeGreaterThan(40);
    acceptFirst.connected(41);
    now = 2;
    await nextTurn();
    expect(acceptFirst.isHolding()).toBe(false);
  });

  it("is not waited for by whatever else comes on a connection", () => {
    const served: string[] = [];
    acceptFirst.connected(1);
    acceptFirst.hold(() => served.push("request"));
    acceptFirst.flush();
    expect(served).toEqual(["request"]);
  });
});

describe("callers without keep-alive", () => {
  it("wait for nobody: each connection stands in the place of one that has closed", async () => {
    await turnsHeld(1, 32);
    for (const open of [32, 20, 31, 32]) expect(await turnsHeld(open)).toBe(0);
  });

  it("are a wave again where more of them come, or after a second of fewer", async () => {
    await turnsHeld(1, 32);
    expect(await turnsHeld(33)).toBeGreaterThan(0);
    now = 999;
    expect(await turnsHeld(2)).toBe(0);
    now = 1_000;
    expect(await turnsHeld(2)).toBeGreaterThan(0);
    expect(await turnsHeld(3)).toBeGreaterThan(0);
  });
});
