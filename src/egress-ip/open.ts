import type { Clock } from "../clock.ts";
import type { Connector } from "../connect/connector.ts";
import type { Origin } from "../lib/host.ts";
import type { Network } from "../lib/ip.ts";
import { requestTransaction, type TransactionRequestOptions } from "../presto/probe.ts";
import { createPoolOpener } from "../upstream/connections.ts";
import { OwnRequestError, type RequestEnd } from "../upstream/request-once.ts";
import { type CheckUrl, createAskAddress } from "./check-url.ts";
import type { AskedUrl } from "./check.ts";
import { kindOfOwnResponse, type OutcomeKind } from "./outcomes.ts";

/** What is configured. */
export interface RegistrationOptions {
  /** Addresses that are registered with Presto (PRESTO_EGRESS_IPS). */
  readonly registered: readonly Network[];
  /** Who is asked (PRESTO_EGRESS_CHECK_URL). */
  readonly urls: readonly CheckUrl[];
}

/** Milliseconds for a question to a check URL, and for one to Presto without a token. */
const askMs = 5_000;

export interface CheckUrlDeps {
  /** To a check URL's server: the same egress, the same CAs, no pins. */
  readonly connectorTo: (origin: Origin) => Connector;
  readonly clock: Clock;
}

/** The check URLs, ready to be asked: for whoever asks them once, as well. */
export function askedUrls(urls: readonly CheckUrl[], { connectorTo, clock }: CheckUrlDeps): AskedUrl[] {
  return urls.map(({ origin, target, name }) => {
    const connector = connectorTo(origin);
    const openPool = createPoolOpener({ origin, connector, timeoutMs: askMs, clock });
    return { name, ask: createAskAddress({ name, target, openPool, timeoutMs: askMs, clock }) };
  });
}

/** A connection of its own: only a new one shows the way that calls go now. */
export type UnauthenticatedProbeOptions = Pick<TransactionRequestOptions, "openPool" | "reference" | "clock">;

/**
 * Asks Presto for a transaction that does not exist, without a token. Presto's application
 * answers that with 401, and whatever keeps strangers out with something else: so the answer
 * shows whether the address is let in, before a call of money is put at risk and while none
 * may be sent.
 * @returns never rejects; `unclear` where no connection was had, since the connector tells of that by itself
 */
export function createUnauthenticatedProbe(options: UnauthenticatedProbeOptions): () => Promise<OutcomeKind> {
  return async () => kindOf(await requestTransaction({ ...options, timeoutMs: askMs }));
}

function kindOf(end: RequestEnd): OutcomeKind {
  if (end.kind === "answered") return kindOfOwnResponse(end.response);
  if (end.kind === "not-sent") return "unclear";
  return end.cause instanceof OwnRequestError && end.cause.code === "given-up" ? "timed-out" : "failing";
}
