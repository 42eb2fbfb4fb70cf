import { describe, expect, it } from "vitest";

import { createProbeLoop } from "../../../src/renewal/probe-loop.ts";
import { createRenewalBench } from "../../support/renewal-bench.ts";
import { idOf } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

const everyMs = 60_000;

/** With a chance that makes the period PROBE_EVERY itself, and what a lifecycle would do. */
function openProbe() {
  const bench = createRenewalBench();
  bench.knobs.random = 0.5;
  const dead: string[] = [];
  const state = { acceptedAt: Number.NEGATIVE_INFINITY, done: 0 };
  const lifeProbe = createProbeLoop({
    deps: bench.deps,
    current: () => bench.store.current()?.record,
    lastRead: () => ({ found: bench.store.current() }),
    remembered: bench.remembered,
    acceptedSince: (_id, monotonic) => state.acceptedAt >= monotonic,
    onDead: (id) => void dead.push(id),
    onDone: () => {
      state.done += 1;
    },
  });
  const asked = (): number => bench.trail.filter((step) => step.startsWith("probe")).length;
  const look = async (renewing = false): Promise<void> => {
    lifeProbe.look(bench.clock.monotonic(), renewing);
    await bench.clock.advance(0);
  };
  return { bench, dead, state, lifeProbe, asked, look };
}

describe("the stored token is probed", () => {
  it("at the start, and every PROBE_EVERY", async () => {
    const { bench, lifeProbe, asked, look } = openProbe();
    bench.presto.says("token-1", "alive");
    await look();
    expect(asked()).toBe(1);
    expect(lifeProbe.leftMs(bench.clock.monotonic(), false)).toBe(everyMs);
    await bench.clock.advance(everyMs - 1);
    await look();
    expect(asked()).toBe(1);
    await bench.clock.advance(1);
    await look();
    expect(asked()).toBe(2);
    expect(bench.told).toEqual(["probed token-1 alive", "probed token-1 alive"]);
  });

  it("not in step with other processes: the period moves by up to a tenth", async () => {
    for (const [random, period] of [
      [0, 54_000],
      [1, 66_000],
    ] as const) {
      const { bench, lifeProbe, look } = openProbe();
      bench.knobs.random = random;
      bench.presto.says("token-1", "alive");
      await look();
      expect(lifeProbe.leftMs(bench.clock.monotonic(), false)).toBeCloseTo(period);
    }
  });

  it("not while our own calls show that it lives", async () => {
    const { bench, state, lifeProbe, asked, look } = openProbe();
    state.acceptedAt = 0;
    await look();
    expect([asked(), lifeProbe.leftMs(bench.clock.monotonic(), false)]).toEqual([0, everyMs]);
    await bench.clock.advance(everyMs + 1);
    await look();
    expect(asked()).toBe(1);
  });

  it("sooner again where the answer told nothing, ever later, and no later than PROBE_EVERY", async () => {
    const { bench, lifeProbe, look } = openProbe();
    bench.knobs.random = 1;
    const waits: number[] = [];
    for (let times = 0; times < 6; times += 1) {
      await look();
      waits.push(lifeProbe.leftMs(bench.clock.monotonic(), false));
      await bench.clock.advance(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it("one at a time, however long it takes, and the end of it is told", async () => {
    const { bench, state, lifeProbe, asked, look } = openProbe();
    bench.presto.says(
      "token-1",
      bench.clock.sleep(3 * everyMs).then(() => "alive"),
    );
    await look();
    await bench.clock.advance(2 * everyMs);
    await look();
    expect([asked(), state.done, lifeProbe.leftMs(bench.clock.monotonic(), false)]).toEqual([
      1,
      0,
      Number.POSITIVE_INFINITY,
    ]);
    await bench.clock.advance(everyMs);
    expect([state.done, lifeProbe.leftMs(bench.clock.monotonic(), false)]).toEqual([1, everyMs]);
  });

  it("and one found dead is reported, under its own id", async () => {
    const { bench, dead, look } = openProbe();
    bench.presto.says("token-1", "dead");
    await look();
    expect(dead).toEqual([idOf("token-1")]);
    expect(bench.told).toEqual(["probed token-1 dead"]);
  });
});

describe("nothing is asked, and no time is kept for it", () => {
  it("while a renewal is under way, which probes by itself", async () => {
    const { bench, lifeProbe, asked, look } = openProbe();
    await look(true);
    expect([asked(), lifeProbe.leftMs(bench.clock.monotonic(), true)]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it("where there is no token", async () => {
    const { bench, lifeProbe, asked, look } = openProbe();
    bench.store.put({ token: null });
    await look();
    expect([asked(), lifeProbe.leftMs(bench.clock.monotonic(), false)]).toEqual([
      0,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it("from an address that is not registered", async () => {
    const { bench, lifeProbe, asked, look } = openProbe();
    bench.knobs.mayLeave = false;
    await look();
    expect([asked(), lifeProbe.leftMs(bench.clock.monotonic(), false)]).toEqual([
      0,
      Number.POSITIVE_INFINITY,
    ]);
  });
});

describe("what is found out of the stored token is remembered", () => {
  const texts = ({ bench }: ReturnType<typeof openProbe>): string[] =>
    bench.remembered.all().map(({ token }) => token.reveal());

  it("where it is proved alive, and not where it was merely read", async () => {
    for (const { verdict, remembered } of [
      { verdict: "alive", remembered: ["token-1"] },
      { verdict: "unclear", remembered: [] },
      { verdict: "young", remembered: [] },
      { verdict: "dead", remembered: [] },
    ] as const) {
      const open = openProbe();
      open.bench.presto.says("token-1", verdict);
      await open.look();
      expect(texts(open)).toEqual(remembered);
    }
  });

  it("forgets it where it is dead", async () => {
    const open = openProbe();
    open.bench.presto.says("token-1", "dead");
    open.bench.remembered.storedLives(open.bench.store.current(), 0);
    await open.look();
    expect(texts(open)).toEqual([]);
  });

  it("by a call that was accepted a while ago only where no other token is remembered", async () => {
    const open = openProbe();
    open.state.acceptedAt = 0;
    await open.look();
    expect(texts(open)).toEqual(["token-1"]);
    open.bench.remembered.lives({ ...issuedToken("token-2", 0), generation: 2, since: 0 });
    open.state.acceptedAt = everyMs;
    await open.bench.clock.advance(everyMs);
    await open.look();
    expect(open.asked()).toBe(0);
    expect(texts(open)).toEqual(["token-2"]);
  });
});
