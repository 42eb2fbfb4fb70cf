import { beforeEach, describe, expect, it } from "vitest";

import { type Completed, createCompleted } from "../../../src/money/completed.ts";
import { createHandClock, type HandClock } from "../../support/hand-clock.ts";

const most = 100_000;

let clock: HandClock;
let completed: Completed;

beforeEach(() => {
  clock = createHandClock();
  completed = createCompleted(clock);
});

describe("completed transactions", () => {
  it("are known for a day", async () => {
    completed.add("T1");
    const at = clock.now();
    await clock.advance(24 * 3_600_000 - 1);
    expect([completed.at("T1"), completed.at("T2")]).toEqual([at, undefined]);
    await clock.advance(1);
    expect(completed.at("T1")).toBeUndefined();
  });

  it("are forgotten in the order of their coming, and one that comes again comes last", () => {
    completed.add("again");
    for (let index = 0; index < most - 1; index += 1) completed.add(`T${index}`);
    completed.add("again");
    // The place that it had first has been taken, and nobody else's.
    expect([completed.at("again"), completed.at("T0")]).toEqual([clock.now(), clock.now()]);
    completed.add("one more");
    expect([completed.at("T0"), completed.at("T1")]).toEqual([undefined, clock.now()]);
  });

  it("can be forgotten by name, once", () => {
    completed.add("T1");
    expect([completed.forget("T1"), completed.forget("T1"), completed.at("T1")]).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  it("are those that a list of everything would name", () => {
    /** How many had been added when it was. */
    const lastAdded = new Map<string, number>();
    let added = 0;
    const isKnown = (key: string): boolean =>
      added - (lastAdded.get(key) ?? Number.NEGATIVE_INFINITY) <= most;
    // A sequence without chance: the same at each run.
    let state = 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const wrong: string[] = [];
    for (let step = 0; step < 1.3 * most; step += 1) {
      const key = `T${random(1.5 * most)}`;
      if ((completed.at(key) !== undefined) !== isKnown(key)) wrong.push(key);
      if (random(10) === 0) {
        completed.forget(key);
        lastAdded.delete(key);
      } else {
        completed.add(key);
        lastAdded.set(key, added);
        added += 1;
      }
    }
    for (let index = 0; index < 1.5 * most; index += 1) {
      const key = `T${index}`;
      if ((completed.at(key) !== undefined) !== isKnown(key)) wrong.push(key);
    }
    expect(wrong).toEqual([]);
  }, 60_000);
});
