import { createLifecycle, type Lifecycle } from "../../src/renewal/lifecycle.ts";
import type { RunOptions } from "../../src/renewal/machine.ts";
import type { OtherHolder, RenewalEnd, RenewalState } from "../../src/renewal/types.ts";
import { type BenchOptions, createRenewalBench, type RenewalBench } from "./renewal-bench.ts";

/** A run that the lifecycle began. */
export interface ScriptedRun extends RunOptions {
  /** Ends it, and lets everything follow that follows. */
  end(end: RenewalEnd): Promise<void>;
  fail(cause: Error): Promise<void>;
}

/** A lifecycle over a renewal whose runs a test ends by hand; the record in hand is the one that the scripted store had last. */
export interface LifecycleBench extends RenewalBench {
  readonly lifecycle: Lifecycle;
  readonly runs: readonly ScriptedRun[];
  last(): ScriptedRun;
  /** When the stored token is due by the clock (milliseconds since 1970); undefined: it is not known. */
  dueAt: number | undefined;
  /** How far the wall clock has jumped ahead, while the timers slept. */
  wallAheadMs: number;
  /** Is it due from `dueAt` on, and not when `knobs.due` says so? */
  isDueByClock: boolean;
  /** How much time passes with each look at a clock. */
  readingTakesMs: number;
  /** How much too early timers fire, as Node's do by a fraction of a millisecond. */
  timersEarlyMs: number;
  /** What the renewal says that it is doing. */
  state: RenewalState;
  /** Who holds the lock that it waits for. */
  waitsFor: OtherHolder | undefined;
  /** Ids of the tokens that it has had issued. */
  readonly issued: Set<string>;
  /** How often the renewal's timers have fired. */
  ticks(): number;
  /** Monotonic time up to which Presto is known to have accepted the stored token. */
  acceptedAt: number;
}

export function createLifecycleBench(options: BenchOptions = {}): LifecycleBench {
  const bench = createRenewalBench(options);
  const runs: ScriptedRun[] = [];
  let inHand = bench.store.current()?.record;
  let ticks = 0;
  let passedMs = 0;
  /** Set once the bench stands: its making looks at the clocks, too. */
  let knobs = { readingTakesMs: 0, timersEarlyMs: 0, wallAheadMs: 0 };
  const pass = (): number => (passedMs += knobs.readingTakesMs);
  const clock = {
    ...bench.clock,
    now: () => bench.clock.now() + knobs.wallAheadMs + pass(),
    monotonic: () => bench.clock.monotonic() + pass(),
    after: (ms: number, run: () => void) =>
      bench.clock.after(ms - knobs.timersEarlyMs, () => {
        ticks += 1;
        run();
      }),
  };
  const whole: LifecycleBench = {
    ...bench,
    runs,
    last() {
      const run = runs.at(-1);
      if (run === undefined) throw new Error("no run was begun");
      return run;
    },
    dueAt: undefined,
    wallAheadMs: 0,
    isDueByClock: false,
    readingTakesMs: 0,
    timersEarlyMs: 0,
    state: "idle",
    waitsFor: undefined,
    issued: new Set(),
    ticks: () => ticks,
    acceptedAt: Number.NEGATIVE_INFINITY,
    lifecycle: createLifecycle({
      deps: {
        ...bench.deps,
        clock,
        isDue: (record, now) =>
          whole.isDueByClock
            ? whole.dueAt !== undefined && now >= whole.dueAt
            : bench.deps.isDue(record, now),
      },
      renewal: {
        run(run) {
          const { promise, resolve, reject } = Promise.withResolvers<RenewalEnd>();
          runs.push({
            ...run,
            async end(end) {
              resolve(end);
              await bench.clock.advance(0);
            },
            async fail(cause) {
              reject(cause);
              await bench.clock.advance(0);
            },
          });
          return promise;
        },
        state: () => whole.state,
        lock: () => ({ name: "scripted lock", holder: null, ours: false }),
        waitsFor: () => whole.waitsFor,
        unstoredSince: () => undefined,
        issued: () => whole.issued,
        remembered: bench.remembered,
      },
      current: () => (inHand = bench.store.current()?.record ?? inHand),
      lastRead: () => ({ found: bench.store.current() }),
      dueAt: () => (whole.dueAt === undefined ? null : new Date(whole.dueAt)),
      acceptedSince: (_id, monotonic) => whole.acceptedAt >= monotonic,
    }),
  };
  knobs = whole;
  return whole;
}

export const nothing: RenewalEnd = { kind: "nothing-to-do", detail: "not due" };
export const unreachable: RenewalEnd = { kind: "unreachable", detail: "no answer" };
export const refusedAll: RenewalEnd = { kind: "refused", credentials: true, detail: "all refused" };

/** Started, with its first look under the lock behind it, and the first probe of a token that lives. */
export async function startedLifecycle(options: BenchOptions = {}): Promise<LifecycleBench> {
  const bench = createLifecycleBench(options);
  bench.presto.says("token-1", "alive");
  bench.lifecycle.start();
  await bench.last().end(nothing);
  await bench.clock.advance(1_000);
  return bench;
}
