import type { Secret } from "../secret.ts";

/** Who asks. Both are secrets: the e-mail is in no output either. */
export interface Account {
  readonly email: Secret;
  readonly password: Secret;
}

/** What a token is asked for with. */
export interface IssueRequest {
  readonly account: Account;
  readonly name: string;
  /** Presto is told the day; the token ends at 00:00 UTC *of* it. */
  readonly expiresAt: Date;
}

/** A token that Presto has made. From its making on every other token of the account is dead. */
export interface IssuedToken {
  readonly token: Secret;
  readonly name: string;
  /** Presto's `created_at`; where it gave none that can be read, the time of the answer. */
  readonly issuedAt: Date;
  /** Presto's `expiration_date`; where it gave none that can be read, what was asked for. */
  readonly expiresAt: Date;
}

/** Presto said clearly that it did nothing: a status in its own JSON shape. */
export interface RefusedByPresto {
  readonly kind: "refused";
  readonly status: 401 | 422 | 429;
  /** One sentence for people, without a word of Presto's that could hold a secret. */
  readonly detail: string;
  /** From Retry-After, milliseconds. */
  readonly retryAfterMs?: number;
}

/** How an issue call ended. Only `refused` and `not-sent` prove that it was not executed. */
export type IssueEnd =
  | { readonly kind: "issued"; readonly issued: IssuedToken }
  | RefusedByPresto
  /** No byte was written. */
  | { readonly kind: "not-sent"; readonly cause: unknown }
  /** It may have been executed, be under way, or be executed later: lost, late, 5xx, HTML, a 200 without a usable token. */
  | { readonly kind: "unclear"; readonly cause: unknown };

/** How a password reset ended; `unclear` as above. */
export type ResetEnd =
  | { readonly kind: "reset" }
  | RefusedByPresto
  | { readonly kind: "not-sent"; readonly cause: unknown }
  | { readonly kind: "unclear"; readonly cause: unknown };

/** How a call to an auth endpoint is kept in check. */
export interface AuthCallControl {
  /** Asked right before the first byte; false ends the call as `not-sent`. */
  readonly mayBegin: () => boolean;
  /** Gives the call up: its connection is closed. Its end is then `unclear`, or `not-sent`. */
  readonly signal: AbortSignal;
}

/**
 * The two auth endpoints: on a connection of their own, without a bearer token, sent once
 * and never again. Neither rejects. Neither has a time limit of its own but `signal`: a late
 * answer still counts, and whoever called decides how long to listen for it.
 */
export interface Issuer {
  issueToken(request: IssueRequest, control: AuthCallControl): Promise<IssueEnd>;
  resetPassword(account: Account, newPassword: Secret, control: AuthCallControl): Promise<ResetEnd>;
}
