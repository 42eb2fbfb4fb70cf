import type { Clock } from "../clock.ts";
import type { JsonObject } from "../lib/json.ts";
import type { Entry } from "./line.ts";
import type { AuditOptions, RecordUnavailable } from "./types.ts";

/** A line that is to be written. */
export interface Line {
  readonly entry: Entry;
  readonly at: Date;
  /** Whoever waits for it. */
  wait: Wait | undefined;
  /** What it announced is not done: it need not be written again. */
  isVoid: boolean;
}

export interface Wait {
  /** What is written behind it, where what it announced is not done and it may stand on the disk. */
  readonly refused: Entry;
  readonly done: (error?: RecordUnavailable) => void;
}

export function tellDone(line: Line): void {
  const { wait } = line;
  line.wait = undefined;
  wait?.done();
}

export function refuse(line: Line, error: RecordUnavailable): void {
  const { wait } = line;
  line.wait = undefined;
  wait?.done(error);
}

/** Lines in the order of their coming. */
export interface LineQueue {
  create(entry: Entry, wait?: Wait): Line;
  /** @param isBounded while nothing can be written, so many are kept; more are counted and dropped. @returns false for one of those */
  add(line: Line, isBounded: boolean): boolean;
  /** Before all others. */
  putBack(lines: readonly Line[]): void;
  take(): Line | undefined;
  /** False where it was taken. */
  remove(line: Line): boolean;
  /** Nobody waits in the queue any more: they are refused, and their lines are not written; or they go on, and the lines are kept. */
  releaseAll(error: RecordUnavailable): void;
  /** Queues a line about those that were dropped, if any were. */
  tellLost(): void;
  /** Lines dropped since the start. */
  lost(): number;
  size(): number;
}

/** Lines that are kept while they can't be written. */
const mostKept = 10_000;

export interface LineQueueOptions {
  readonly whenUnavailable: AuditOptions["whenUnavailable"];
  /** Stands in each line. */
  readonly mark?: JsonObject | undefined;
}

export function createLineQueue(
  { whenUnavailable, mark }: LineQueueOptions,
  clock: Pick<Clock, "now">,
): LineQueue {
  /** In the order of their coming; those at the beginning that were taken are cut off now and then. */
  let lines: Line[] = [];
  let taken = 0;
  let lost = 0;
  let untold = 0;

  function lose(): void {
    lost += 1;
    untold += 1;
  }

  function waiting(): Line[] {
    return taken === 0 ? lines : lines.slice(taken);
  }

  function replace(by: Line[]): void {
    lines = by;
    taken = 0;
  }

  function create(entry: Entry, wait?: Wait): Line {
    return { entry: { ...entry, ...mark }, at: new Date(clock.now()), wait, isVoid: false };
  }

  return {
    create,
    add(line, isBounded) {
      if (isBounded && lines.length - taken >= mostKept) {
        lose();
        return false;
      }
      lines.push(line);
      return true;
    },
    putBack: (before) => replace([...before, ...waiting()]),
    take() {
      const line = lines[taken];
      if (line !== undefined) taken += 1;
      if (taken === lines.length || taken === mostKept) replace(waiting());
      return line;
    },
    remove(line) {
      const index = lines.indexOf(line, taken);
      if (index < 0) return false;
      lines.splice(index, 1);
      return true;
    },
    releaseAll(error) {
      const refused: Line[] = [];
      const kept: Line[] = [];
      for (const line of waiting())
        (line.wait !== undefined && whenUnavailable === "refuse" ? refused : kept).push(line);
      const dropped = kept.splice(mostKept);
      for (let count = dropped.length; count > 0; count -= 1) lose();
      replace(kept);
      for (const line of refused) refuse(line, error);
      for (const line of [...kept, ...dropped]) tellDone(line);
    },
    tellLost() {
      if (untold === 0) return;
      replace([create({ type: "lines-lost", lines: untold }), ...waiting()]);
      untold = 0;
    },
    lost: () => lost,
    size: () => lines.length - taken,
  };
}
