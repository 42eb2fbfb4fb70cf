import type { Clock } from "../clock.ts";
import type { Secret } from "../secret.ts";
import { createToken, withAuthorization } from "../token/token.ts";
import { getOnce, type OpenPool, type RequestEnd } from "../upstream/request-once.ts";

/** How a probe asks. */
export interface ProbeOptions {
  /** A made-up transaction reference. */
  readonly reference: string;
  /** Milliseconds for one request. */
  readonly timeoutMs: number;
}

export interface TransactionRequestOptions extends ProbeOptions {
  /** A pool that is used for one request and closed after it, so that each goes over a connection of its own. */
  readonly openPool: OpenPool;
  readonly clock: Clock;
  /** Without one, Presto's application answers 401. */
  readonly token?: Secret | undefined;
  /** Gives it up before its time is over. */
  readonly signal?: AbortSignal | undefined;
  /** Called right before the first byte. */
  readonly onBegin?: (() => void) | undefined;
}

const fields = [
  ["accept", "application/json"],
  // RFC 9110 section 12.5.3: what comes is small, and looked into.
  ["accept-encoding", "identity"],
].flat();

/** Asks Presto for a transaction that does not exist: harmless, and what it answers shows who lets whom in. Never rejects. */
export function requestTransaction({
  reference,
  token,
  ...options
}: TransactionRequestOptions): Promise<RequestEnd> {
  return getOnce({
    ...options,
    path: `/api/institutions/v1/wallet/transaction/${reference}`,
    // No reply tells of these requests, so the generation does not matter.
    headers: token === undefined ? fields : withAuthorization(fields, createToken(token, 0)),
  });
}
