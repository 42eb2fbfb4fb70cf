import type { RenewalReason } from "../store/contract.ts";
import type { RenewalEnd, RenewalState } from "./types.ts";

/** What is told of a renewal: of the token's making, where the events of `token` are of its use. */
export type RenewalEvent =
  | RenewalMoved
  | IssueBegun
  | IssueEnded
  | RenewalEnded
  | UnexplainedDeath
  | AlarmChanged;

/** The renewal went from one state to another. */
interface RenewalMoved {
  readonly type: "renewal-moved";
  readonly from: RenewalState;
  readonly to: RenewalState;
  readonly reason: RenewalReason | undefined;
  /** Id of the intent that stands for it, if one does. */
  readonly intent: string | undefined;
}

/** An issue call was begun: from here on the stored token may be dead. */
interface IssueBegun {
  readonly type: "issue-begun";
  readonly intent: string;
  readonly reason: RenewalReason;
}

/** How an issue call ended. A list, so that whoever counts can name each before it was seen. */
export const issueCallEnds = ["issued", "refused", "not-sent", "unclear"] as const;

export type IssueCallEnd = (typeof issueCallEnds)[number];

/** What was heard of it: `refused` and `not-sent` prove that nothing was done. */
interface IssueEnded {
  readonly type: "issue-ended";
  readonly intent: string;
  readonly end: IssueCallEnd;
  /** An error, for the log; undefined where there is none. */
  readonly cause: unknown;
  /** Milliseconds since it was begun. */
  readonly ms: number;
}

/** A run through the states ended. */
interface RenewalEnded {
  readonly type: "renewal-ended";
  readonly end: RenewalEnd;
  /** If it did not work out, when it is tried again. */
  readonly nextTryAt: Date | undefined;
}

/** The stored token was found dead and nobody of ours had begun to replace it. */
interface UnexplainedDeath {
  readonly type: "unexplained-death";
  readonly generation: number;
  readonly id: string;
  /** Such deaths in the last 24 h. */
  readonly count: number;
}

/** The alarm was latched, or (undefined) cleared by a person. */
interface AlarmChanged {
  readonly type: "alarm-changed";
  readonly alarm: { readonly reason: string; readonly at: Date } | undefined;
}
