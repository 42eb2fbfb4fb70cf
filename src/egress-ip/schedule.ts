import type { Clock, Timer } from "../clock.ts";

/** How a round of questions ended. `silent`: no check URL answered. */
export type RoundEnd = "open" | "closed" | "silent";

export interface CheckScheduleOptions {
  /** Asks all check URLs, and acts on it. Never rejects. */
  readonly round: () => Promise<RoundEnd>;
  readonly clock: Pick<Clock, "monotonic" | "after">;
  /** From 0 to 1, for jitter: replicas must not ask in step. */
  readonly random: () => number;
}

/** When the check URLs are asked. */
export interface CheckSchedule {
  /** Asks now, or joins the round that is under way. */
  now(): Promise<void>;
  /** Calls begin to fail: asks as soon as is decent. Cheap, and may be called for each of them. */
  soon(): void;
  stop(): void;
}

/** Milliseconds between rounds, by how the last one ended. */
const intervals: Readonly<Record<Exclude<RoundEnd, "closed">, number>> = { open: 5 * 60_000, silent: 30_000 };

/** While calls are blocked, soon again at first: where that was wrong, it must not last. */
const whileClosed = { firstMs: 1_000, mostMs: 15_000 };

/** Milliseconds after a round that failing calls asked for, and that found nothing, until they get another: twice as long each time. */
const spacings = { firstMs: 2_000, mostMs: 30_000 };

export function createCheckSchedule({ round, clock, random }: CheckScheduleOptions): CheckSchedule {
  let timer: Timer | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let underWay: Promise<void> | undefined;
  let begunAt = Number.NEGATIVE_INFINITY;
  let spacing = 0;
  let closedWait = whileClosed.firstMs;
  let wanted = false;
  let stopped = false;

  function arm(ms: number): void {
    timer?.cancel();
    if (stopped) return;
    dueAt = clock.monotonic() + ms;
    timer = clock.after(ms, () => void now());
  }

  async function run(): Promise<void> {
    const asked = wanted;
    wanted = false;
    begunAt = clock.monotonic();
    timer?.cancel();
    const end = await round();
    underWay = undefined;
    spacing =
      asked && end !== "closed" ? Math.min(Math.max(spacing * 2, spacings.firstMs), spacings.mostMs) : 0;
    // A tenth to either side.
    arm(intervalAfter(end) * (0.9 + random() / 5));
    // What failed while it was under way may have changed after the answers were given.
    if (wanted && end !== "closed") bringForward();
  }

  function intervalAfter(end: RoundEnd): number {
    const wait = closedWait;
    closedWait = end === "closed" ? Math.min(wait * 2, whileClosed.mostMs) : whileClosed.firstMs;
    return end === "closed" ? wait : intervals[end];
  }

  function now(): Promise<void> {
    if (stopped) return Promise.resolve();
    underWay ??= run();
    return underWay;
  }

  function bringForward(): void {
    const at = clock.monotonic();
    const wait = Math.max(0, begunAt + spacing - at);
    if (wait === 0) void now();
    else if (at + wait < dueAt) arm(wait);
  }

  return {
    now,
    soon() {
      if (wanted || stopped) return;
      wanted = true;
      if (underWay === undefined) bringForward();
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
