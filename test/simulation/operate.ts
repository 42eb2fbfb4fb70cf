import type { OperationKind } from "./fault-kinds.ts";
import type { Fate, Faults } from "./faults.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";

export interface OperateOptions {
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly random: Random;
}

/** One thing that a process asks of something outside it. */
export interface Operation<T> {
  readonly process: SimProcess;
  readonly kind: OperationKind;
  /** What it does there, at the moment when it arrives; an error that it throws is the answer. */
  readonly effect: () => T;
  /** The error of an answer that never came. */
  readonly lost: () => Error;
}

export type Operate = <T>(operation: Operation<T>) => Promise<T>;

/**
 * Carries an operation to where it takes effect, and its answer back. What was sent takes
 * effect even if its sender dies meanwhile; what a dead process asks for is never sent.
 */
export function createOperate({ timeline, faults, random }: OperateOptions): Operate {
  return <T>({ process, kind, effect, lost }: Operation<T>) => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!process.isAlive()) return promise;
    const fate = faults.fate(process, kind);
    const { fault, toMs, backMs } = fate;
    if (fault === "crash") {
      timeline.after(0, () => process.kill(`before it could ${kind}`));
      return promise;
    }
    strike(process, fate);
    if (fault === "failed" || fault === "unanswered") {
      process.deliver(toMs + backMs, () => reject(lost()));
      return promise;
    }
    let answer = (): void => reject(lost());
    const arrivesIn = fault === "applied-late" ? toMs + backMs + random.between(1, 30_000) : toMs;
    timeline.after(arrivesIn, () => {
      try {
        const result = effect();
        if (fault !== "applied-unheard" && fault !== "applied-late") answer = () => resolve(result);
      } catch (error) {
        // What the witness saw is no answer to anybody.
        if (error instanceof Violation) throw error;
        answer = () => reject(error);
      }
    });
    process.deliver(toMs + backMs, () => answer());
    return promise;
  };

  /** What befalls the process while it waits for the answer. */
  function strike(process: SimProcess, { fault, toMs, backMs }: Fate): void {
    const at = random.between(0, toMs + backMs);
    if (fault === "crash-after") timeline.after(at, () => process.kill("while it waited for an answer"));
    if (fault === "restart") timeline.after(at, () => faults.restart(process));
    if (fault === "pause" || fault === "suspend")
      timeline.after(at, () => faults.pause(process, fault === "suspend"));
  }
}
