/**
 * How a call ended, as its caller can know it. `served`: Presto's own answer, a success.
 * `answered`: Presto's own answer, and no success. `not-sent` and `unknown` as the sidecar
 * says; without a word from it a connection that could not be had is `not-sent`, and one
 * that broke is `unknown`.
 */
export type CallEnd = "served" | "answered" | "not-sent" | "unknown";

export const callEnds: readonly CallEnd[] = ["served", "answered", "not-sent", "unknown"];

export type CallKind = "init" | "confirm" | "transaction";

/** One call, as its caller saw it. Times are `performance.now()`. */
export interface NotedCall {
  readonly kind: CallKind;
  readonly end: CallEnd;
  /** 0 where no answer came. */
  readonly status: number;
  /** The problem's code, or the system's. */
  readonly code: string;
  readonly reference: string | undefined;
  readonly begunAt: number;
  readonly endedAt: number;
}

/** What the callers have seen. */
export interface CallerLog {
  note(call: NotedCall): void;
  /** Calls by how they ended. */
  counts(): Readonly<Record<CallEnd, number>>;
  /** Every call that was not served. */
  failed(): readonly NotedCall[];
  /** How each confirm of a transaction ended, by its reference. */
  confirms(): ReadonlyMap<string, readonly CallEnd[]>;
  /** How calls that begin transactions ended. */
  inits(): Readonly<Record<CallEnd, number>>;
  /** The first call to be served among those that begin from that time on; waits for it. */
  servedAfter(time: number): Promise<NotedCall>;
}

export function createCallerLog(): CallerLog {
  const counts = noEnds();
  const inits = noEnds();
  const failed: NotedCall[] = [];
  const confirms = new Map<string, CallEnd[]>();
  const waiting = new Set<(call: NotedCall) => void>();
  return {
    note(call) {
      counts[call.end] += 1;
      if (call.kind === "init") inits[call.end] += 1;
      if (call.end !== "served") failed.push(call);
      if (call.kind === "confirm" && call.reference !== undefined) {
        const ends = confirms.get(call.reference);
        if (ends === undefined) confirms.set(call.reference, [call.end]);
        else ends.push(call.end);
      }
      if (call.end === "served") for (const look of waiting) look(call);
    },
    counts: () => ({ ...counts }),
    failed: () => failed,
    confirms: () => confirms,
    inits: () => ({ ...inits }),
    servedAfter: (time) =>
      new Promise((resolve) => {
        const look = (call: NotedCall): void => {
          if (call.begunAt < time) return;
          waiting.delete(look);
          resolve(call);
        };
        waiting.add(look);
      }),
  };
}

function noEnds(): Record<CallEnd, number> {
  return { served: 0, answered: 0, "not-sent": 0, unknown: 0 };
}
