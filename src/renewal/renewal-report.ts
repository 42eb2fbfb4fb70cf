import type { RenewalState } from "./renewal-state.ts";

/** What `/status` and the metrics say of the token's life. Times are wall-clock. */
export interface RenewalReport {
  readonly state: RenewalState;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** When the stored token is to be renewed; null while unknown. */
  readonly dueAt: Date | null;
  /** When a renewal that did not work out is tried again; null if nothing is put off. */
  readonly nextTryAt: Date | null;
  /** How the last run ended, and why, for people; null before the first. */
  readonly lastEnd: { readonly kind: string; readonly detail: string | null; readonly at: Date } | null;
  /** The latched alarm. */
  readonly stopped: { readonly reason: string; readonly at: Date } | null;
  /** Stored tokens found dead without a reason of our own, in the last 24 h. */
  readonly unexplainedDeaths: number;
  /** No password that is known works; null while that is not so. */
  readonly credentialsRefused: string | null;
}

/** What became of a person's wish for a new token, for `POST /renew`. */
export type RenewReply =
  | { readonly kind: "renewed"; readonly generation: number; readonly expiresAt: Date | null }
  /** Not done within the time given; it stays due. */
  | { readonly kind: "under-way"; readonly state: RenewalState }
  | { readonly kind: "stopped"; readonly detail: string }
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "unreachable"; readonly detail: string; readonly retryAfterMs: number };

export interface RenewWish {
  /** Clears the alarm first. */
  readonly force: boolean;
  /** Milliseconds to wait for the end. */
  readonly waitMs: number;
}

/** A person's wish, as the control listener hands it on. */
export type Renew = (wish: RenewWish) => Promise<RenewReply>;
