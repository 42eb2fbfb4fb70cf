import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import type { Address } from "../lib/ip.ts";
import { type CallEnd, callOnce, PrestoCallError } from "../upstream/request-once.ts";
import { AddressAnswerError } from "./address-answer-error.ts";
import { readAddress } from "./read-address.ts";

/** What one check URL said. */
export type CheckAnswer =
  | { readonly name: string; readonly address: Address; readonly error?: undefined }
  | { readonly name: string; readonly address?: undefined; readonly error: AddressAnswerError };

export interface AskAddressOptions {
  /** What the URL is called. */
  readonly name: string;
  /** Path and query. */
  readonly target: string;
  /** A pool for one question, over the one way out and to this URL's server alone; closed after it. */
  readonly openPool: () => Dispatcher;
  /** Milliseconds for the whole question. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const headers = [
  ["accept", "text/plain, application/json;q=0.9"],
  // RFC 9110 section 12.5.3: an address needs no compression.
  ["accept-encoding", "identity"],
  ["user-agent", "presto-sidecar"],
].flat();

/**
 * Asks a check URL for the address that this process leaves from. The request has nothing of
 * ours in it: no token, no cookie, nothing of a call. Never rejects.
 */
export function createAskAddress(options: AskAddressOptions): () => Promise<CheckAnswer> {
  const { name, target, openPool, timeoutMs, clock } = options;
  return async () => {
    const stop = new AbortController();
    const timer = clock.after(timeoutMs, () => stop.abort());
    const control = { mayBegin: () => true, signal: stop.signal };
    const end = await callOnce(openPool, { method: "GET", path: target, headers }, control);
    timer.cancel();
    try {
      if (end.kind === "answered") return { name, address: readAddress(end.answer) };
      return { name, error: toError(end, timeoutMs) };
    } catch (error) {
      if (error instanceof AddressAnswerError) return { name, error };
      throw error;
    }
  };
}

/** Why there is no answer. The messages of `callOnce` speak of Presto, which has no part in this. */
function toError(end: Exclude<CallEnd, { kind: "answered" }>, timeoutMs: number): AddressAnswerError {
  const { cause } = end;
  if (cause instanceof ConnectError) {
    return new AddressAnswerError("no-connection", `it could not be reached: ${cause.message}`, cause);
  }
  const code = cause instanceof PrestoCallError ? cause.code : undefined;
  if (code === "too-large")
    return new AddressAnswerError("too-large", "it answered with far more than an address");
  if (code === "given-up")
    return new AddressAnswerError("no-answer", `no answer came within ${timeoutMs} ms`);
  return end.kind === "not-sent"
    ? new AddressAnswerError("no-connection", "it could not be reached", cause)
    : new AddressAnswerError("no-answer", "the connection broke before its answer was whole", cause);
}
