import type { RoundPlan } from "./kill-nine-plan.ts";
import type { Remains } from "./kill-nine-remains.ts";

/** What one round came to. */
export interface RoundStory {
  readonly plan: RoundPlan;
  /** State of the renewal at each kill, by the log's last line. */
  readonly states: readonly string[];
  /** What each kill left. */
  readonly remains: readonly Remains[];
  readonly waits: boolean;
  /** Milliseconds from the last kill to the end of the first call that was begun after it and served; the new process's start is in it. */
  readonly servedMs: number;
  /** And until the record showed the live token without an intent. */
  readonly settledMs: number;
  /**
   * Callers that got Presto's own 401. Only where a token died without an intent: then nobody can know for longer
   * than calls are held, and the answer is true (nothing was done).
   */
  readonly refused: number;
  /** Issue calls that came to Presto, from the round's beginning to its end. */
  readonly issueCalls: number;
  /** What was not as promised. */
  readonly problems: readonly string[];
}
