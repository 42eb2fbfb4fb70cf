import { describe, expect, it } from "vitest";

import { dueAt, isDueAt } from "../../../src/renewal/schedule.ts";
import type { DayWindow, Schedule } from "../../../src/renewal/schedule.ts";
import { Secret } from "../../../src/secret.ts";

const hour = 60 * 60 * 1000;
const day = 24 * hour;
const issued = Date.UTC(2026, 0, 1);
const token = new Secret("token-1");
/** 100 days, so that a fraction is a number of days. */
const life = { token, issuedAt: new Date(issued), expiresAt: new Date(issued + 100 * day) };
const plain: Schedule = { renewAt: 0.5, window: undefined, jitter: 0.5 };

function hours(from: number, to: number): DayWindow {
  return { fromMs: from * hour, toMs: to * hour };
}

describe("when a token is due", () => {
  it.each([
    { name: "at the fraction of its life", schedule: plain, at: 50 * day },
    { name: "5 % earlier for the smallest jitter", schedule: { ...plain, jitter: 0 }, at: 47.5 * day },
    { name: "5 % later for the largest", schedule: { ...plain, jitter: 1 }, at: 52.5 * day },
    {
      name: "at its end at the latest, whatever the jitter",
      schedule: { ...plain, renewAt: 1, jitter: 1 },
      at: 100 * day,
    },
    {
      name: "in the window of that day, if it is still to come",
      schedule: { ...plain, window: hours(1, 4) },
      at: 50 * day + hour,
    },
    {
      name: "in a window over midnight that is open",
      schedule: { ...plain, window: hours(23, 4) },
      at: 50 * day,
    },
    {
      name: "in the next day's window, if that day's is over",
      schedule: { ...plain, jitter: 0, window: hours(1, 4) },
      at: 48 * day + hour,
    },
  ])("is $name", ({ schedule, at }) => {
    expect(dueAt(life, schedule)).toEqual(new Date(issued + at));
    expect(isDueAt(issued + at - 1, life, schedule)).toBe(false);
    expect(isDueAt(issued + at, life, schedule)).toBe(true);
  });

  it("is in a whole millisecond, the same for whoever sets a timer and whoever looks at the clock", () => {
    for (const renewAt of [0.123456789, 0.00000026, 1 / 3]) {
      const at = dueAt(life, { ...plain, renewAt });
      expect(isDueAt(at?.getTime() ?? 0, life, { ...plain, renewAt })).toBe(true);
    }
  });

  it("is at once where there is no token, in a window or not", () => {
    const none = { ...life, token: null };
    expect(isDueAt(issued, undefined, { ...plain, window: hours(1, 2) })).toBe(true);
    expect(isDueAt(issued, none, { ...plain, window: hours(1, 2) })).toBe(true);
  });

  it("is never where the end is not known: it is renewed when it is found dead", () => {
    const imported = { ...life, expiresAt: null };
    expect(dueAt(imported, plain)).toBeNull();
    expect(isDueAt(issued + 1_000 * day, imported, plain)).toBe(false);
  });

  it("is a day before the end where it is not known when the life began", () => {
    expect(dueAt({ ...life, issuedAt: null }, plain)).toEqual(new Date(issued + 99 * day));
  });

  it("is not outside the window, even after a due moment went by unused", () => {
    const schedule = { ...plain, window: hours(1, 4) };
    expect(isDueAt(issued + 51 * day + 4 * hour, life, schedule)).toBe(false);
    expect(isDueAt(issued + 51 * day + 3 * hour, life, schedule)).toBe(true);
    expect(isDueAt(issued + 52 * day + hour, life, schedule)).toBe(true);
  });

  it("is outside the window where the token would not see the next one, with an hour to spare", () => {
    const schedule = { ...plain, window: hours(5, 6) };
    const short = (end: number) => ({ ...life, expiresAt: new Date(issued + end) });
    const at = 2 * day + 12 * hour;
    // The next one opens at 3 d 5 h.
    expect(isDueAt(issued + at, short(3 * day + 6 * hour), schedule)).toBe(true);
    expect(isDueAt(issued + at, short(3 * day + 6 * hour + 1), schedule)).toBe(false);
  });

  it("is when the token is over, or its life is turned round by a wrong clock", () => {
    expect(isDueAt(issued + 200 * day, life, plain)).toBe(true);
    const turned = { token, issuedAt: new Date(issued), expiresAt: new Date(issued - day) };
    expect(isDueAt(issued, turned, plain)).toBe(true);
    expect(isDueAt(issued - 1, turned, plain)).toBe(false);
  });
});
