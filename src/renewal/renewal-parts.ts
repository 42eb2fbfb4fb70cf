import type { Clock } from "../clock.ts";
import type { Signals } from "../observe/signals.ts";
import type { IssuedToken, Issuer } from "../presto/auth.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import type { RenewalLock, StoredRecord, TokenRecord, TokenStore } from "../store/contract.ts";
import type { Accounts } from "./accounts.ts";
import type { RenewalTimes } from "./renewal-times.ts";

/** A store that can be written. */
export type WritableStore = Required<Pick<TokenStore, "read" | "write">>;

/** Those who use the token in this process, if any do. */
export interface TokenUsers {
  /** What stands in the store may have changed by our own hand: look, and then resolve. Never rejects. */
  noticeRecord(): Promise<void>;
  /** Resolves when none of the calls that are being sent is left, or after `maxMs`. */
  quiet(maxMs: number): Promise<void>;
  /** A new token that works and is not stored yet: use it from now on. */
  serve(candidate: IssuedToken, generation: number): void;
  /** That token has turned out dead: forget it. */
  withdraw(candidate: IssuedToken): void;
  /** What a probe said of a token. */
  probed(token: Secret, verdict: ProbeVerdict): void;
}

/** What a renewal needs. Everything that waits, chances or talks is passed in. */
export interface RenewalParts {
  readonly store: WritableStore;
  readonly lock: RenewalLock;
  readonly issuer: Pick<Issuer, "issueToken">;
  readonly accounts: Accounts;
  /** Asks Presto whether a token lives. Never rejects. */
  readonly probe: (token: Secret) => Promise<ProbeVerdict>;
  /** False while this process would leave from an address that is not registered: no renewal is begun then. */
  readonly mayLeave: () => boolean;
  readonly users: TokenUsers;
  readonly clock: Clock;
  readonly signals: Signals;
  readonly times: RenewalTimes;
  /** UUID of this process, new at every start. */
  readonly holder: string;
  readonly newId: () => string;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** What the token is asked for with. */
  readonly tokenName: string;
  readonly tokenDays: number;
  /** Is a renewal of this record due by the clock (no token, or old enough)? */
  readonly isDue: (record: TokenRecord | undefined) => boolean;
  /** Answers false where only a person may have tokens issued (`PRESTO_RENEW=manual`). */
  readonly automatic: boolean;
}

/** A record as it was read, or undefined where nothing was stored yet. */
export type Found = StoredRecord | undefined;
