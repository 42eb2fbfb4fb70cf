import { describe, expect, it } from "vitest";

import { meanings, type OutcomeKind } from "../../../src/egress-ip/outcomes.ts";
import { Problem } from "../../../src/errors.ts";
import { createRandom, type Random } from "../../simulation/random.ts";
import { createEgressBench, type EgressBench, home, strange } from "../../support/egress-bench.ts";
import { kindsOf } from "../../support/outcome-letters.ts";

/** What calls meet, a letter for each in a hundred; those of the classifier's table. */
const fine = `${"a".repeat(94)}pffrroee`;
const turnedAway = { forbidden: "f".repeat(19) + "o", page: "h".repeat(19) + "e", reset: "r".repeat(20) };
const outage = "eeeeooocra";

interface World {
  readonly bench: EgressBench;
  /** Lets calls come, one in 50 ms, for as long; each takes 30 ms. */
  run(ms: number, weather: string): Promise<void>;
  readonly counts: { sent: number; keptBack: number };
}

function createWorld(random: Random, says: readonly (string | undefined)[]): World {
  const bench = createEgressBench({ says: [...says], askMs: 30, random: () => random.next() });
  const counts = { sent: 0, keptBack: 0 };

  function call(weather: string): void {
    const sentAt = bench.clock.monotonic();
    const [kind = "unclear"] = kindsOf(random.pick([...weather]));
    // At the door there is no token that could be accepted or refused.
    bench.door = meanings[kind].letIn === true ? "app-refused" : kind;
    if (!bench.check.mayLeave()) {
      counts.keptBack += 1;
      return;
    }
    counts.sent += 1;
    bench.clock.after(30, () => deliver(bench, kind, sentAt));
  }

  return {
    bench,
    counts,
    async run(ms, weather) {
      for (let passed = 0; passed < ms; passed += 50) {
        call(weather);
        await bench.clock.advance(50);
      }
    },
  };
}

const answers: Readonly<Partial<Record<OutcomeKind, readonly [status: number, body: string]>>> = {
  accepted: [200, "{}"],
  "app-refused": [422, "{}"],
  forbidden: [403, "{}"],
  "block-page": [200, "<html>"],
  failing: [500, "{}"],
};

function deliver({ check, reset }: EgressBench, kind: OutcomeKind, sentAt: number): void {
  const answer = answers[kind];
  if (answer !== undefined) {
    const [status, body] = answer;
    check.answered({ status, headers: [], body: Buffer.from(body) }, sentAt);
  } else if (kind === "reset") reset();
  else check.failed(new Problem("upstream-timeout", { detail: "x" }));
}

const seeds = Array.from({ length: 10 }, (_, index) => index + 1);
const minutes = 60_000;

describe("while Presto lets us in", () => {
  it.each([
    ["nobody lies", [home, home], 0],
    ["one of two lies", [strange, home], 0.005],
    ["the only one lies", [strange], 0.005],
    ["one lies and one is down", [strange, undefined], 0.005],
    ["all are down", [undefined, undefined], 0],
    ["two of two lie", [strange, strange], 0.005],
  ] as const)("hardly a call is kept back (%s)", async (_what, says, most) => {
    for (const seed of seeds) {
      const world = createWorld(createRandom(seed), says);
      void world.bench.check.start();
      await world.run(6 * minutes, fine);
      expect(world.counts.keptBack / world.counts.sent).toBeLessThanOrEqual(most);
      expect(world.bench.check.report().verdict).toBe("registered");
    }
  });

  it("an outage keeps nothing back, whatever it looks like", async () => {
    for (const weather of [outage, "e", "r", "o", "rrrrrrrf"]) {
      const world = createWorld(createRandom(7), [home, home]);
      void world.bench.check.start();
      await world.run(3 * minutes, weather);
      expect(world.counts.keptBack).toBe(0);
    }
  });
});

describe("when the address changes under load", () => {
  const told: string[] = [];

  it.each([
    ["403", "two see it", turnedAway.forbidden, [strange, strange]],
    ["403", "one is asked", turnedAway.forbidden, [strange]],
    ["403", "one is down", turnedAway.forbidden, [strange, undefined]],
    ["a page", "two see it", turnedAway.page, [strange, strange]],
    ["a page", "one is asked", turnedAway.page, [strange]],
    ["a reset", "two see it", turnedAway.reset, [strange, strange]],
    ["a reset", "one is asked", turnedAway.reset, [strange]],
    ["a reset", "one lags behind", turnedAway.reset, [strange, home]],
  ] as const)(
    "calls are kept back at once, and leave again once it is mended (%s, %s)",
    async (what, who, weather, says) => {
      const wrong: number[] = [];
      for (const seed of seeds) {
        const world = createWorld(createRandom(seed), [...says].fill(home));
        void world.bench.check.start();
        await world.run(2 * minutes, fine);
        const { sent } = world.counts;
        world.bench.says = [...says];
        await world.run(5_000, weather);
        wrong.push(world.counts.sent - sent);
        expect(world.bench.check.mayLeave()).toBe(false);
        expect(world.bench.check.report().verdict).toBe("not-registered");
        world.bench.says = [...says].fill(home);
        await world.run(20_000, fine);
        expect(world.bench.check.mayLeave()).toBe(true);
        expect(world.bench.check.report().verdict).toBe("registered");
      }
      told.push(
        `${what}, ${who}: calls sent from the wrong address, worst of ${wrong.length}: ${Math.max(...wrong)}\n`,
      );
      process.stdout.write(told.at(-1) ?? "");
      // Twenty calls a second: what Presto turned away, until the check URLs had answered.
      expect(Math.max(...wrong)).toBeLessThanOrEqual(60);
    },
  );
});
