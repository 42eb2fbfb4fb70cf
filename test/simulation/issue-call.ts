import type { RenewalTimes } from "../../src/renewal/types.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";

/** An issue call of ours, as the world sees it. */
export interface IssueCall {
  readonly process: SimProcess;
  /** Its bytes leave; until then nothing has happened. */
  depart(): void;
  /** Its client has heard of an end that tells nothing, and has gone. */
  leave(): void;
  /** It was executed, or never will be. */
  settle(): void;
  /** Until when it may be, in simulated time. */
  executableUntil(): number;
  /** May it, for all that anybody outside can know, still be executed? */
  mayBeExecuted(): boolean;
}

/**
 * A call may be executed until SETTLE after its client gave it up, or died. What Presto does
 * with a connection that stays open is nobody's promise, so a client that goes on listening
 * counts as gone at ISSUE_TIMEOUT, too.
 */
export function createIssueCall(
  process: SimProcess,
  askedAt: number,
  timeline: Timeline,
  { issueTimeoutMs, settleMs }: RenewalTimes,
): IssueCall {
  const givenUpAt = askedAt + issueTimeoutMs;
  let departedAt: number | undefined;
  let goneAt = Number.POSITIVE_INFINITY;
  let settled = false;
  process.onDeath(() => {
    leave();
    // What never left its machine never will.
    if (departedAt === undefined) settled = true;
  });

  function executableUntil(): number {
    if (departedAt === undefined) return Number.POSITIVE_INFINITY;
    return Math.min(Math.max(departedAt, givenUpAt), goneAt) + settleMs;
  }

  function leave(): void {
    goneAt = Math.min(goneAt, timeline.now());
  }

  return {
    process,
    leave,
    depart() {
      departedAt = timeline.now();
    },
    settle() {
      settled = true;
    },
    executableUntil,
    mayBeExecuted: () => !settled && timeline.now() < executableUntil(),
  };
}
