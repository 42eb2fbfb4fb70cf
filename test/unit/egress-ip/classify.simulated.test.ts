import { describe, expect, it } from "vitest";

import { classify, type EgressVerdict } from "../../../src/egress-ip/classify.ts";
import { createRecentOutcomes } from "../../../src/egress-ip/outcomes.ts";
import { createRandom, type Random } from "../../simulation/random.ts";
import { countsOf, kindsOf } from "../../support/outcome-letters.ts";

/** What a call meets, by how likely it is in a hundred. Letters as in the classifier's table. */
type Weather = Readonly<Record<string, number>>;

const healthy: Weather = { a: 92, p: 3, f: 1, o: 1, e: 1, r: 1, u: 1 };

interface Truth {
  readonly name: string;
  readonly weather: Weather;
  readonly verdict: EgressVerdict;
  /** What check URLs see meanwhile; undefined: nobody is asked. */
  readonly seen?: string;
  /** A verdict that is as good as the other. */
  readonly orElse?: EgressVerdict;
}

const truths: readonly Truth[] = [
  { name: "healthy, with noise", weather: healthy, verdict: "registered" },
  { name: "healthy, and a check URL lies", weather: healthy, verdict: "registered", seen: "1n" },
  { name: "not registered: 403", weather: { f: 94, o: 3, e: 3 }, verdict: "not-registered" },
  { name: "not registered: block page", weather: { h: 94, o: 3, e: 3 }, verdict: "not-registered" },
  { name: "not registered: reset", weather: { r: 97, o: 2, u: 1 }, verdict: "not-registered" },
  {
    name: "not registered: 403, seen",
    weather: { f: 90, o: 5, e: 5 },
    verdict: "not-registered",
    seen: "2n",
  },
  {
    name: "not registered: page, seen",
    weather: { h: 90, o: 5, e: 5 },
    verdict: "not-registered",
    seen: "1n",
  },
  {
    name: "not registered: reset, seen",
    weather: { r: 80, c: 10, o: 10 },
    verdict: "not-registered",
    seen: "2n",
  },
  { name: "dead token", weather: { t: 94, o: 3, e: 3 }, verdict: "dead-token" },
  { name: "dead token, record looked for first", weather: { t: 60, p: 35, e: 5 }, verdict: "dead-token" },
  { name: "outage: 5xx", weather: { e: 92, a: 5, o: 3 }, verdict: "partner-outage" },
  { name: "outage: silence", weather: { o: 97, a: 3 }, verdict: "partner-outage" },
  { name: "outage: refused", weather: { c: 97, o: 3 }, verdict: "partner-outage" },
  { name: "outage: all sorts", weather: { e: 40, o: 30, c: 15, r: 10, a: 5 }, verdict: "partner-outage" },
  { name: "outage: reset, seen", weather: { r: 95, o: 5 }, verdict: "partner-outage", seen: "2y" },
  { name: "rate limits", weather: { l: 70, a: 25, p: 5 }, verdict: "registered" },
  { name: "rate limits of a gateway", weather: { u: 50, a: 50 }, verdict: "registered" },
];

function drawn(random: Random, weather: Weather): string {
  const all = Object.values(weather).reduce((sum, weight) => sum + weight, 0);
  let left = random.next() * all;
  for (const [letter, weight] of Object.entries(weather)) {
    left -= weight;
    if (left < 0) return letter;
  }
  return "u";
}

/** Calls until it was right for the first time, and how often it was right in the calls from the tenth to the hundredth. */
function story(
  truth: Truth,
  seed: number,
): { readonly first: number; readonly right: number; readonly of: number } {
  const random = createRandom(seed);
  const recent = createRecentOutcomes();
  const meanMs = random.pick([20, 200, 2_000, 10_000]);
  let now = 0;
  const call = (weather: Weather, seen: string): EgressVerdict => {
    now += -Math.log(1 - random.next()) * meanMs;
    for (const kind of kindsOf(drawn(random, weather))) recent.add(kind, now);
    return classify({
      tally: recent.tally(now),
      sinceAccepted: recent.tallySinceAccepted(now),
      addresses: countsOf(seen),
    });
  };
  // Half of the processes were healthy before it began.
  for (let before = random.chance(0.5) ? 100 : 0; before > 0; before -= 1) call(healthy, "");
  let first = 0;
  let right = 0;
  let of = 0;
  for (let number = 1; number <= 100; number += 1) {
    const isRight = call(truth.weather, truth.seen ?? "") === truth.verdict;
    if (first === 0 && isRight) first = number;
    if (number <= 10) continue;
    of += 1;
    if (isRight) right += 1;
  }
  return { first: first === 0 ? 101 : first, right, of };
}

const seeds = 200;

describe("over random streams of outcomes the verdict is right", () => {
  it.each(truths)("$name", (truth) => {
    const stories = Array.from({ length: seeds }, (_, seed) => story(truth, seed + 1));
    const share =
      stories.reduce((sum, { right }) => sum + right, 0) / stories.reduce((sum, { of }) => sum + of, 0);
    const firsts = stories.map(({ first }) => first).toSorted((one, other) => one - other);
    const p50 = firsts[Math.floor(seeds * 0.5)] ?? 0;
    const p99 = firsts[Math.floor(seeds * 0.99)] ?? 0;
    process.stdout.write(
      `${truth.name}: right ${(share * 100).toFixed(1)} %, after ${p50} calls (p50), ${p99} (p99)\n`,
    );
    expect(share).toBeGreaterThan(0.97);
    expect(p50).toBeLessThanOrEqual(9);
    expect(p99).toBeLessThanOrEqual(16);
  });
});
