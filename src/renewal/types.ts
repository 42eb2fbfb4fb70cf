import { CommandError } from "../errors.ts";
import { type PodName, type RenewalReason, StoreError } from "../store/contract.ts";
import type { CredentialOptions } from "../store/open.ts";
import { leaseMs } from "../store/term.ts";
import type { DayWindow } from "./schedule.ts";

/**
 * The states of a renewal, as docs/renewal.md names them. `idle` is R0 and `clearing` R8, and
 * `locking` the beginning of R1 where another process holds the lock; a process is in one state at a time.
 */
export const renewalStates = [
  "idle",
  "locking",
  "reading",
  "probing",
  "intending",
  "settling",
  "checking",
  "issuing",
  "storing",
  "reconciling",
  "clearing",
  "stopped",
] as const;

export type RenewalState = (typeof renewalStates)[number];

/** How one run through the states ended. Details are sentences for people, without a secret. */
export type RenewalEnd =
  /** A new token is stored. */
  | {
      readonly kind: "renewed";
      readonly tokenId: string;
      readonly generation: number;
      readonly expiresAt: Date | null;
    }
  /** Under the lock there was nothing to do: not due, done by another, a false report, an old intent that needed no token. */
  | { readonly kind: "nothing-to-do"; readonly detail: string }
  /** The stored token seems dead, but is so young that Presto's replicas may not know it yet: it is looked at again in so many milliseconds. */
  | { readonly kind: "young-token"; readonly detail: string; readonly nextLookMs: number }
  /** The alarm is latched: somebody else issues tokens on this account. */
  | { readonly kind: "stopped"; readonly detail: string }
  /** The record was written for another object than the one that it stands in: nothing is issued by it, nor written. */
  | { readonly kind: "elsewhere"; readonly detail: string }
  /** Presto refused clearly. `credentials`: by 401, and no other password is left to try. */
  | {
      readonly kind: "refused";
      readonly credentials: boolean;
      readonly detail: string;
      readonly retryAfterMs?: number;
    }
  /** Presto, the store or the credentials could not be had, or the lock was lost; nothing was issued. */
  | { readonly kind: "unreachable"; readonly detail: string; readonly cause?: unknown }
  /** The token that was issued was found dead before it could be stored. */
  | { readonly kind: "lost"; readonly detail: string }
  /** The process is ending; what is left is in the record, for the next one. */
  | { readonly kind: "shut-down" };

/** What could not be had, with the cause's own words where they are made for people. */
export function unreachable(what: string, cause?: unknown): RenewalEnd {
  const words = cause instanceof StoreError || cause instanceof CommandError ? ` ${cause.message}` : "";
  return { kind: "unreachable", detail: `${what}${words}`, cause };
}

/** What is told in the place of an end while a token is in this process's memory alone (states `storing` and `reconciling`). */
export const notStored = {
  kind: "not-stored",
  detail:
    "The only token that works is in this process's memory: it was issued, and is not stored yet. It serves, and storing it is tried again; until that works, the end of this process would lose it.",
} as const;

/** The protocol's times, milliseconds, each measured on this process's own monotonic clock. */
export interface RenewalTimes {
  /** How long one issue call may take before it is given up (ISSUE_TIMEOUT). */
  readonly issueTimeoutMs: number;
  /** Term of a lock that has one (LEASE). */
  readonly leaseMs: number;
  /** Longest time that Presto may still execute a call whose client is gone (SETTLE). */
  readonly settleMs: number;
  /** Longest wait for calls that were in flight when the intent was written (GRACE). */
  readonly graceMs: number;
  /** How often the stored token is probed (PROBE_EVERY). */
  readonly probeEveryMs: number;
}

/** LEASE must outlive GRACE and ISSUE_TIMEOUT together; what is left over is the margin. */
export const defaultTimes: RenewalTimes = {
  issueTimeoutMs: 15_000,
  leaseMs,
  settleMs: 90_000,
  graceMs: 2_000,
  probeEveryMs: 60_000,
};

/** How much longer than ISSUE_TIMEOUT a lock must still be held when the call begins, milliseconds. */
export const lockMarginMs = 5_000;

/** What a role that issues is configured with. Durations are milliseconds. */
export interface IssuingOptions {
  readonly credentials: CredentialOptions;
  /** Name and days of life that a token is asked for with. */
  readonly tokenName: string;
  readonly tokenDays: number;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** Fraction of a token's life after which it is renewed, above 0 and at most 1. */
  readonly renewAt: number;
  /** Undefined: at any time of the day. */
  readonly window: DayWindow | undefined;
  readonly probeEveryMs: number;
  readonly settleMs: number;
}

/** Another process, that holds the lock. */
export interface OtherHolder {
  /** The subject of a sentence. */
  readonly words: string;
  /** Only of a lock that several hosts share. */
  readonly pod: PodName | undefined;
}

/** What is known here of the lock that renewals are done under. Nobody is asked for it. */
export interface LockReport {
  /** What kind of lock and which. */
  readonly name: string;
  /** Who holds it, in words: this process, or the one that it waits for; null while it does neither. */
  readonly holder: string | null;
  /** Is it this process? */
  readonly ours: boolean;
}

/** What `/status` and the metrics say of the token's life. Times are wall-clock. */
export interface RenewalReport {
  readonly state: RenewalState;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  readonly lock: LockReport;
  /** When the stored token is to be renewed; null while unknown. */
  readonly dueAt: Date | null;
  /** When a renewal that did not work out is tried again; null if nothing is put off. */
  readonly nextTryAt: Date | null;
  /** How the last run ended, and why, for people; null before the first. `not-stored`, of no run's end, while a token is in memory alone. */
  readonly lastEnd: { readonly kind: string; readonly detail: string | null; readonly at: Date } | null;
  /** The latched alarm. */
  readonly stopped: { readonly reason: string; readonly at: Date } | null;
  /** Stored tokens found dead without a reason of our own, in the last 24 h. */
  readonly unexplainedDeaths: number;
  /** No password that is known works; null while that is not so. */
  readonly credentialsRefused: string | null;
  /** Why no token is issued by plan, since the clock makes each new one due at once; null while that is not so. */
  readonly clockWrong: string | null;
  /** Why nothing is issued by the record that stands in the store, which was written for another object; null while that is not so. */
  readonly elsewhere: string | null;
}

/** What became of a person's request for a new token, for `POST /renew`. */
export type RenewReply =
  | { readonly kind: "renewed"; readonly generation: number; readonly expiresAt: Date | null }
  /** Not done within the time given; it stays due. */
  | { readonly kind: "under-way"; readonly state: RenewalState }
  | { readonly kind: "stopped" | "elsewhere"; readonly detail: string }
  | { readonly kind: "refused"; readonly detail: string }
  /** The process in another Pod renews at this moment, and is the one to ask. Nothing stays due here. */
  | {
      readonly kind: "lock-held";
      readonly detail: string;
      readonly pod: PodName;
      readonly retryAfterMs: number;
    }
  | { readonly kind: "unreachable" | "young-token"; readonly detail: string; readonly retryAfterMs: number };

export interface RenewRequest {
  /** Clears the alarm first. */
  readonly force: boolean;
  /** Milliseconds to wait for the end. */
  readonly waitMs: number;
}

/** A person's request, as the control listener hands it on. */
export type Renew = (request: RenewRequest) => Promise<RenewReply>;

/** What is told of a renewal: of the token's making, where the events of `token` are of its use. */
export type RenewalEvent =
  | RenewalMoved
  | IssueBegun
  | IssueEnded
  | RenewalEnded
  | UnexplainedDeath
  | AlarmChanged
  | ClockAlarmChanged
  | RecordPutBack
  | ElsewhereChanged;

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

/** The clock makes each new token due at once, or (undefined) it was set right. */
export interface ClockAlarmChanged {
  readonly type: "clock-alarm-changed";
  readonly reason: string | undefined;
}

/** A record that somebody had put back, or taken away, holds the token that lives again. */
interface RecordPutBack {
  readonly type: "record-put-back";
  readonly generation: number;
  readonly id: string;
  /** Who had written the record that was found, as far as the store says so. */
  readonly lastWriter: string | undefined;
  /** There was no record at all. */
  readonly wasGone: boolean;
}

/** The record in the store was written for another object, or (undefined) is one's own again. */
interface ElsewhereChanged {
  readonly type: "elsewhere-changed";
  readonly reason: string | undefined;
}

/** The alarm was latched, or (undefined) cleared by a person. */
interface AlarmChanged {
  readonly type: "alarm-changed";
  readonly alarm: { readonly reason: string; readonly at: Date } | undefined;
}
