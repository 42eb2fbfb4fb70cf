import type { HeldLock, TokenRecord } from "../store/contract.ts";
import type { Found, RenewalParts } from "./renewal-parts.ts";

/** Why a run was begun, besides the clock and what stands in the record: both are read afresh. */
export interface Occasion {
  /** A person wants another token than this one (undefined: than none), and with `force` clears the alarm. */
  readonly wish: { readonly beyond: string | undefined; readonly force: boolean } | undefined;
  /** Ids of tokens that were reported or found dead. */
  readonly rejected: ReadonlySet<string>;
}

/** What is remembered from one run to the next. */
export interface RenewalMemory {
  /** Id of the stored token whose death is explained, or counted already: a token dies once, however often its renewal is begun. */
  accountedFor: string | undefined;
}

/** What one run through the states has in hand. */
export interface RenewalRun {
  readonly parts: RenewalParts;
  readonly held: HeldLock;
  readonly occasion: Occasion;
  readonly memory: RenewalMemory;
  /** The process is asked to end: nothing new is begun. */
  readonly draining: AbortSignal;
  /** The process ends: whatever waits stops waiting. */
  readonly closing: AbortSignal;
}

/** Fingerprint of the stored token. */
export function storedId(found: Found): string | undefined {
  return found?.record.token?.fingerprint();
}

/** Is the person's wish still unfulfilled by what is stored? */
export function isWished({ occasion }: RenewalRun, found: Found): boolean {
  return occasion.wish !== undefined && occasion.wish.beyond === storedId(found);
}

/** May a token be issued in this run, if the stored one is dead? */
export function mayIssue(run: RenewalRun, found: Found): boolean {
  return run.parts.automatic || isWished(run, found);
}

/** Has the stored token's time come, or does a person want another one? */
export function isDue(run: RenewalRun, found: Found): boolean {
  return isWished(run, found) || run.parts.isDue(found?.record);
}

const dayMs = 24 * 60 * 60 * 1000;

/** Has the stored token ended, or will it within 24 h? Then it is replaced even where nothing tells whether it lives. */
export function isAboutToEnd({ parts }: RenewalRun, found: Found): boolean {
  const expiresAt = found?.record.expiresAt ?? null;
  return expiresAt !== null && expiresAt.getTime() - parts.clock.now() <= dayMs;
}

/** Who wrote a version: for diagnosis. */
export function writtenBy({ parts, held }: RenewalRun): NonNullable<TokenRecord["writtenBy"]> {
  return { holder: parts.holder, lock: held.identity };
}
