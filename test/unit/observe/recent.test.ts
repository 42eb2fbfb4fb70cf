import { describe, expect, it } from "vitest";

import { createRecent } from "../../../src/observe/recent.ts";
import { finishedCall } from "../../support/finished-call.ts";

const minute = 60_000;

function newRecent() {
  const time = { ms: 7 * minute };
  const recent = createRecent({ monotonic: () => time.ms, now: () => 1_800_000_000_000 + time.ms });
  return { time, ...recent };
}

describe("what has happened lately", () => {
  it("counts calls by minute and outcome, the present one last", () => {
    const { time, note, report } = newRecent();
    for (let i = 0; i < 3; i += 1) note(finishedCall());
    time.ms += 2 * minute;
    note(finishedCall({ outcome: "unknown" }));
    note(finishedCall({ outcome: "not-sent" }));
    const { minutes, hour } = report();
    expect(minutes).toHaveLength(60);
    expect(minutes.slice(-3).map(({ calls }) => calls)).toEqual([
      { answered: 3, "not-sent": 0, unknown: 0 },
      { answered: 0, "not-sent": 0, unknown: 0 },
      { answered: 0, "not-sent": 1, unknown: 1 },
    ]);
    expect(hour.calls).toEqual({ answered: 3, "not-sent": 1, unknown: 1 });
  });

  it("forgets what is older than an hour, also after a long pause", () => {
    const { time, note, report } = newRecent();
    note(finishedCall());
    time.ms += 59 * minute;
    expect(report().minutes[0]?.calls.answered).toBe(1);
    time.ms += minute;
    expect(report().hour.calls.answered).toBe(0);
    note(finishedCall());
    time.ms += 1000 * minute;
    expect(report().hour.calls.answered).toBe(0);
  });

  it("knows how long half of the calls took, and 99 of 100, within a fifth", () => {
    const { note, report } = newRecent();
    expect(report().hour).toMatchObject({ p50Ms: undefined, p99Ms: undefined });
    for (let ms = 1; ms <= 1000; ms += 1) note(finishedCall({ totalMs: ms }));
    const { p50Ms = 0, p99Ms = 0 } = report().hour;
    expect(p50Ms / 500).toBeGreaterThan(0.8);
    expect(p50Ms / 500).toBeLessThan(1.25);
    expect(p99Ms / 990).toBeGreaterThan(0.8);
    expect(p99Ms / 990).toBeLessThan(1.25);
  });

  it.each([0, 0.2, 40_000, 1e9, Number.NaN])("takes a call of %d ms", (totalMs) => {
    const { note, report } = newRecent();
    note(finishedCall({ totalMs }));
    expect(report().hour.calls.answered).toBe(1);
  });

  it("keeps the newest tokens and renewals, and one failure that is repeated as one", () => {
    const { note, report } = newRecent();
    for (let generation = 1; generation <= 40; generation += 1)
      note({ type: "token-changed", generation, id: "a", expiresAt: null });
    const end = { kind: "unreachable", detail: "It is away." } as const;
    note({
      type: "renewal-ended",
      end: { kind: "renewed", tokenId: "a", generation: 1, expiresAt: null },
      nextTryAt: undefined,
    });
    for (let i = 0; i < 100; i += 1) note({ type: "renewal-ended", end, nextTryAt: undefined });
    note({
      type: "renewal-ended",
      end: { kind: "nothing-to-do", detail: "Not due." },
      nextTryAt: undefined,
    });
    const { generations, renewals } = report();
    expect(generations).toHaveLength(24);
    expect(generations.at(-1)?.generation).toBe(40);
    expect(renewals.map(({ kind, count }) => [kind, count])).toEqual([
      ["renewed", 1],
      ["unreachable", 100],
    ]);
  });
});
