import type { Secret } from "../secret.ts";
import type { StoredRecord, TokenRecord } from "../store/contract.ts";
import { isAtHome } from "../store/home.ts";

/** A token with all that a record says of it. */
export interface KeptToken extends Pick<TokenRecord, "generation" | "name" | "issuedAt" | "expiresAt"> {
  readonly token: Secret;
  /** Monotonic time at which this was known: no token that was alive later can be older. */
  readonly since: number;
}

/**
 * The token that this process knows to be the account's: the last one that was issued to it, or the last one that
 * a probe proved alive while it stood in a record of our own home. A record may be put back by whoever has
 * an older copy (GitOps, a backup, an operator), or wiped; what is remembered brings it back without
 * an issue. So it is never given up for a token that was merely read, and forgotten only when it is found dead.
 */
export interface RememberedToken {
  /** Mostly one or none; two while an answer that came late is not judged by a probe yet. */
  all(): readonly KeptToken[];
  /** Those that are not what stands in this record; all of them where it was written for another object. */
  missingIn(found: StoredRecord | undefined): readonly KeptToken[];
  /** Presto has issued this one to us, by a call that killed the token of that id, if it was alive still. */
  issued(token: KeptToken, killed: string | undefined): void;
  /** A probe has just proved it alive, so no other lives. */
  lives(token: KeptToken): void;
  /** The same of the token that stands in this record. Of one that was written for another object nothing is remembered. */
  storedLives(found: StoredRecord | undefined, since: number): void;
  /** Probes found it dead. */
  died(tokenId: string): void;
}

export function createRememberedToken(): RememberedToken {
  let kept: readonly KeptToken[] = [];

  function lives(token: KeptToken): void {
    kept = [token];
  }

  return {
    all: () => kept,
    missingIn(found) {
      if (!isAtHome(found)) return kept;
      const id = found?.record.token?.fingerprint();
      return kept.filter(({ token }) => token.fingerprint() !== id);
    },
    issued(token, killed) {
      const known = [killed, token.token.fingerprint()];
      kept = [...kept.filter((other) => !known.includes(other.token.fingerprint())), token];
    },
    lives,
    storedLives(found, since) {
      const token = found === undefined || !isAtHome(found) ? undefined : keptFrom(found.record, since);
      if (token !== undefined) lives(token);
    },
    died(tokenId) {
      kept = kept.filter(({ token }) => token.fingerprint() !== tokenId);
    },
  };
}

function keptFrom(
  { token, generation, name, issuedAt, expiresAt }: TokenRecord,
  since: number,
): KeptToken | undefined {
  return token === null ? undefined : { token, generation, name, issuedAt, expiresAt, since };
}
