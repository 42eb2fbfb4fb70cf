import type { Clock } from "../clock.ts";
import type { Outcome } from "../errors.ts";
import type { RenewalEnd } from "../renewal/types.ts";
import type { CallFinished } from "../upstream/call.ts";
import type { Event, Subscriber } from "./events.ts";

/** One minute of calls. */
export interface RecentMinute {
  readonly calls: Readonly<Record<Outcome, number>>;
  /** How long half of the calls took at most, and 99 of 100; undefined where there was none. Milliseconds, within a fifth. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** A token came into hand. */
export interface RecentGeneration {
  readonly at: Date;
  readonly generation: number;
  /** Null where it is unknown. */
  readonly expiresAt: Date | null;
}

/** Renewals that ended so, one after the other. */
export interface RecentRenewal {
  /** Of the last of them. */
  readonly at: Date;
  readonly kind: RenewalEnd["kind"];
  readonly detail: string | undefined;
  readonly count: number;
}

/** What has happened lately, for people. Holds no secret. */
export interface RecentReport {
  /** Of the last hour, the oldest first; the last one is still going on. */
  readonly minutes: readonly RecentMinute[];
  /** The whole hour, as one. */
  readonly hour: RecentMinute;
  /** The newest last, as the others below. */
  readonly generations: readonly RecentGeneration[];
  readonly renewals: readonly RecentRenewal[];
}

export interface Recent {
  readonly note: Subscriber;
  report(): RecentReport;
}

const minuteMs = 60_000;
const minutesKept = 60;
const mostKept = 24;
const outcomes = ["answered", "not-sent", "unknown"] as const satisfies readonly Outcome[];

/** Two for each doubling: from below a millisecond to more than half a minute. */
const latencyBuckets = 32;
/** Numbers of one minute: calls by outcome, then by how long they took. */
const width = outcomes.length + latencyBuckets;

/**
 * Keeps what the status page draws: some 9 KB for the calls of an hour, and the newest tokens and
 * renewals. A call costs it a look at the clock, a logarithm and two additions.
 */
export function createRecent(clock: Pick<Clock, "now" | "monotonic">): Recent {
  const numbers = new Uint32Array(minutesKept * width);
  let minute = minuteNow();
  const generations: RecentGeneration[] = [];
  const renewals: RecentRenewal[] = [];

  function minuteNow(): number {
    return Math.floor(clock.monotonic() / minuteMs);
  }

  /** Empties the places of the minutes that have begun since. */
  function advance(now: number): void {
    for (let next = Math.max(minute + 1, now - minutesKept + 1); next <= now; next += 1) {
      const at = (next % minutesKept) * width;
      numbers.fill(0, at, at + width);
    }
    minute = now;
  }

  function noteCall({ outcome, totalMs }: CallFinished): void {
    const now = minuteNow();
    if (now !== minute) advance(now);
    const at = (now % minutesKept) * width;
    add(at + outcomes.indexOf(outcome));
    add(at + outcomes.length + bucketOf(totalMs));
  }

  function add(index: number): void {
    numbers[index] = (numbers[index] ?? 0) + 1;
  }

  function noteRest(event: Event): void {
    if (event.type === "token-changed") {
      const { generation, expiresAt } = event;
      keep(generations, { at: new Date(clock.now()), generation, expiresAt });
    } else if (event.type === "renewal-ended") {
      const { end } = event;
      if (end.kind === "nothing-to-do" || end.kind === "shut-down") return;
      const last = renewals.at(-1);
      const isSame = last?.kind === end.kind && end.kind !== "renewed";
      // A Presto that is away for a night must not push out what was before.
      if (isSame) renewals.pop();
      keep(renewals, {
        at: new Date(clock.now()),
        kind: end.kind,
        detail: "detail" in end ? end.detail : undefined,
        count: isSame ? last.count + 1 : 1,
      });
    }
  }

  return {
    note(event) {
      if (event.type === "call-finished") noteCall(event);
      else noteRest(event);
    },
    report() {
      const now = minuteNow();
      if (now !== minute) advance(now);
      const hour = new Uint32Array(width);
      const minutes = Array.from({ length: minutesKept }, (_, index) => {
        const at = ((now + 1 + index) % minutesKept) * width;
        const one = numbers.subarray(at, at + width);
        for (const [place, count] of one.entries()) hour[place] = (hour[place] ?? 0) + count;
        return minuteOf(one);
      });
      return { minutes, hour: minuteOf(hour), generations: [...generations], renewals: [...renewals] };
    },
  };
}

function keep<T>(list: T[], one: T): void {
  list.push(one);
  if (list.length > mostKept) list.shift();
}

function bucketOf(ms: number): number {
  return ms < 1 ? 0 : Math.min(1 + Math.floor(2 * Math.log2(ms)), latencyBuckets - 1);
}

function minuteOf(numbers: Uint32Array): RecentMinute {
  const latencies = numbers.subarray(outcomes.length);
  const calls = { answered: numbers[0] ?? 0, "not-sent": numbers[1] ?? 0, unknown: numbers[2] ?? 0 };
  return { calls, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}

/** The middle of the bucket that it lies in. */
function quantile(latencies: Uint32Array, part: number): number | undefined {
  const all = latencies.reduce((sum, count) => sum + count, 0);
  let within = 0;
  for (const [bucket, count] of latencies.entries()) {
    within += count;
    if (count > 0 && within >= part * all) return bucket === 0 ? 0.5 : 2 ** ((bucket - 0.5) / 2);
  }
  return undefined;
}
