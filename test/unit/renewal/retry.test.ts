import { describe, expect, it } from "vitest";

import { createRetry } from "../../../src/renewal/retry.ts";
import type { RenewalEnd } from "../../../src/renewal/types.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const expiresAt = new Date("2027-02-22T00:00:00Z");
const renewed: RenewalEnd = { kind: "renewed", tokenId: "id", generation: 2, expiresAt };
const refused: RenewalEnd = { kind: "refused", credentials: false, detail: "422" };
const unreachable: RenewalEnd = { kind: "unreachable", detail: "no answer" };

function openRetry(random = 1) {
  const clock = createHandClock();
  return { clock, retry: createRetry({ clock, random: () => random }) };
}

/** How long the next run is put off after so many ends of a kind. */
function putOffAfter(ends: readonly RenewalEnd[]): number {
  const { clock, retry } = openRetry();
  for (const end of ends) retry.ended(end);
  return retry.leftMs(clock.monotonic());
}

const times = (count: number, end: RenewalEnd): RenewalEnd[] => Array.from({ length: count }, () => end);

describe("the next run", () => {
  it.each([
    { name: "after one that reached nobody", ends: [unreachable], ms: 1_000 },
    { name: "after three", ends: times(3, unreachable), ms: 4_000 },
    { name: "after very many", ends: times(2_000, unreachable), ms: 30_000 },
    { name: "after a token that was lost", ends: [{ kind: "lost", detail: "dead" } as const], ms: 1_000 },
    { name: "after a refusal", ends: [refused], ms: 5_000 },
    { name: "after three refusals", ends: times(3, refused), ms: 20_000 },
    { name: "after very many refusals", ends: times(2_000, refused), ms: 300_000 },
    { name: "after a refusal that says when", ends: [{ ...refused, retryAfterMs: 60_000 }], ms: 60_000 },
    { name: "after one that says a moment too short", ends: [{ ...refused, retryAfterMs: 10 }], ms: 5_000 },
    { name: "after a renewal", ends: [renewed], ms: 500 },
    {
      name: "where there was nothing to do",
      ends: [{ kind: "nothing-to-do", detail: "" } as const],
      ms: 1_000,
    },
    { name: "at the alarm", ends: [{ kind: "stopped", detail: "" } as const], ms: 1_000 },
    {
      name: "of failures that a renewal has ended",
      ends: [...times(9, unreachable), renewed, unreachable],
      ms: 1_000,
    },
    { name: "after the process was asked to end", ends: [{ kind: "shut-down" } as const], ms: 0 },
  ])("is put off $name by $ms ms", ({ ends, ms }) => {
    expect(putOffAfter(ends)).toBe(ms);
  });

  it("is put off like a refused one after a token that is due again at once: a wrong clock must make no storm", () => {});

  it("comes earlier by up to a half, by chance", () => {
    const { clock, retry } = openRetry(0);
    retry.ended(unreachable);
    expect(retry.leftMs(clock.monotonic())).toBe(500);
  });

  it("may come when the time is over, on our own clock", async () => {
    const { clock, retry } = openRetry();
    expect(retry.leftMs(clock.monotonic()) > 0).toBe(false);
    retry.ended(unreachable);
    await clock.advance(999);
    expect(retry.leftMs(clock.monotonic()) > 0).toBe(true);
    await clock.advance(1);
    expect(retry.leftMs(clock.monotonic()) > 0).toBe(false);
    expect(retry.leftMs(clock.monotonic())).toBe(0);
  });

  it("is told to people where something failed, and only then", async () => {
    const { clock, retry } = openRetry();
    expect(retry.nextTryAt()).toBeNull();
    retry.ended(renewed);
    expect(retry.nextTryAt()).toBeNull();
    retry.ended(unreachable);
    expect(retry.nextTryAt()).toEqual(new Date(clock.now() + 1_000));
    await clock.advance(1_000);
    expect(retry.nextTryAt()).toBeNull();
  });

  it("may come at once where what failed may work now", () => {
    const { clock, retry } = openRetry();
    for (const end of times(9, refused)) retry.ended(end);
    retry.forget();
    expect([retry.leftMs(clock.monotonic()) > 0, retry.nextTryAt()]).toEqual([false, null]);
    retry.ended(refused);
    expect(retry.leftMs(clock.monotonic())).toBe(5_000);
  });
});
