import type { Secret } from "../secret.ts";

/** Why a renewal was begun. */
export type RenewalReason = "scheduled" | "rejected" | "takeover" | "manual";

/** A renewal under way: written before the call that may kill the stored token. */
export interface Intent {
  /** UUID, new for every issue call. */
  readonly id: string;
  /** UUID of the process that wrote it, new at every process start. */
  readonly holder: string;
  /** True only if the stored token was proved alive just before, and no intent stood: "dead" then proves that this call was executed. */
  readonly soleCall: boolean;
  readonly reason: RenewalReason;
  /** Wall clock of the writer, for people; compared with nothing. */
  readonly at: Date;
}

/** The latched alarm: somebody else issues tokens on this account. Only a person clears it. */
export interface Stopped {
  readonly reason: string;
  readonly at: Date;
}

/**
 * What a store keeps: one object, written whole. Two records are told apart by the
 * store's version and by the token's id, never by `generation`: a restored backup sets
 * that back, and two late writers can reuse a number.
 */
export interface TokenRecord {
  readonly schema: 1;
  /** One more for each stored token. For people, logs and metrics. */
  readonly generation: number;
  /** Null only before the first token. */
  readonly token: Secret | null;
  readonly name: string | null;
  /** Presto's `created_at`, or the time of import; for display and the length of life. */
  readonly issuedAt: Date | null;
  /** Null where it is unknown (an imported token). */
  readonly expiresAt: Date | null;
  readonly intent: Intent | null;
  /** When stored tokens were found dead without an intent that explains it. */
  readonly unexplainedDeaths: readonly Date[];
  readonly stopped: Stopped | null;
  /** Who wrote this version: for diagnosis. */
  readonly writtenBy: { readonly holder: string; readonly lock: string } | null;
}
