import { randomBytes } from "node:crypto";

import type { Clock } from "../clock.ts";
import { Secret } from "../secret.ts";
import type { TokenHealth } from "../token/health.ts";
import { createToken, withAuthorization } from "../token/token.ts";
import { getOnce, type OpenPool, type OwnResponse, type RequestEnd } from "../upstream/request-once.ts";
import { isErrorShape, readJson } from "./answers.ts";

export interface AskOptions extends Pick<
  TransactionRequestOptions,
  "openPool" | "reference" | "timeoutMs" | "clock"
> {
  /** Told each answer that came, and when its question was begun (monotonic). */
  readonly onAnswer?: (response: OwnResponse, begunAt: number) => void;
}

/** Asks Presto for a transaction that does not exist, with a token: harmless, and the answer shows whether the token lives. */
export function createAsk(options: AskOptions): (token: Secret) => Promise<ProbeAnswer> {
  const { onAnswer, ...request } = options;
  return async (token) => {
    const begunAt = options.clock.monotonic();
    const end = await requestTransaction({ ...request, token });
    if (end.kind !== "answered") return "other";
    onAnswer?.(end.response, begunAt);
    return readProbeAnswer(end.response);
  };
}

/** Only what is in Presto's own JSON shape counts: a page of a gateway says nothing about a token. */
function readProbeAnswer(response: OwnResponse): ProbeAnswer {
  const { status } = response;
  const body = readJson(response);
  if (body === undefined) return "other";
  if (status >= 200 && status < 300) return "success";
  if (status === 401) return isErrorShape(body) ? "unauthorized" : "other";
  return status === 404 || status === 422 ? "not-found" : "other";
}

/**
 * What one harmless GET showed: whether Presto let the token in. `other` is everything that
 * proves nothing: no answer, 403, 429, 5xx, a page of some gateway.
 */
export type ProbeAnswer = "success" | "unauthorized" | "not-found" | "other";

/** At most one token of an account lives, so this verdict decides about all of them. */
export type ProbeVerdict = "alive" | "dead" | "unclear";

export interface TokenProbeOptions {
  /** Sends the GET with this token, on a connection of its own. Never rejects. */
  readonly ask: (token: Secret) => Promise<ProbeAnswer>;
  readonly clock: Clock;
  /** What this process's own calls have shown; without it the probe has nothing but its own questions. */
  readonly evidence?: TokenHealth;
  /** Called once, if it turns out that Presto looks for the record before the token: then most probes stay unclear. */
  readonly onBlind?: () => void;
}

/** Between two 401s, milliseconds: one can lie while Presto's own replicas catch up. */
const apartMs = 2_000;

/**
 * Finds out whether a token lives, as the renewal protocol says: 401 twice, on different
 * connections and 2 s apart, is dead; success is alive; "no such transaction" is alive only
 * if a made-up token gets 401 for the same question, since some servers look for the record
 * before they look at the token. All else is unclear, and nothing follows from it.
 *
 * What the questions leave open, the answers to the process's own calls may settle. They
 * also take back a "dead" that they contradict: then nothing follows from either.
 */
export function createProbe(options: TokenProbeOptions): (token: Secret) => Promise<ProbeVerdict> {
  const { ask, clock, evidence, onBlind } = options;
  let looksAtTokenFirst = false;
  let blind = false;

  async function tokenIsLookedAtFirst(): Promise<boolean> {
    if (looksAtTokenFirst) return true;
    const answer = await ask(new Secret(randomBytes(32).toString("hex")));
    if (answer === "not-found" && !blind) {
      blind = true;
      onBlind?.();
    }
    looksAtTokenFirst = answer === "unauthorized";
    return looksAtTokenFirst;
  }

  /** What the questions alone say; `contradicted`: both, one after the other. */
  async function question(token: Secret): Promise<ProbeVerdict | "contradicted"> {
    switch (await ask(token)) {
      case "success":
        return "alive";
      case "not-found":
        return (await tokenIsLookedAtFirst()) ? "alive" : "unclear";
      case "unauthorized": {
        await clock.sleep(apartMs);
        const again = await ask(token);
        if (again === "unauthorized") return "dead";
        return again === "success" ? "contradicted" : "unclear";
      }
      case "other":
        return "unclear";
    }
  }

  return async (token) => {
    const id = token.fingerprint();
    const startedAt = clock.monotonic();
    const young = evidence?.isYoung(id) === true;
    const found = await question(token);
    switch (found) {
      case "alive":
        evidence?.accepted(id, startedAt);
        return "alive";
      case "dead":
        // A token that was just made is asked for again: it may be unknown to Presto's replicas yet.
        if (young || evidence?.acceptedSince(id, startedAt) === true) return "unclear";
        return "dead";
      case "contradicted":
        evidence?.accepted(id, startedAt);
        return "unclear";
      case "unclear":
        if (evidence?.acceptedSince(id, startedAt) === true) return "alive";
        return evidence?.refusedTwice(id) === true ? "dead" : "unclear";
    }
  };
}

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
