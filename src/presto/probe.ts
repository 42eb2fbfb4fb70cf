import { randomBytes } from "node:crypto";

import type { Clock } from "../clock.ts";
import { Secret } from "../secret.ts";
import { type TokenHealth, youngLeftMs } from "../token/health.ts";
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

/** The same, with what it rests on where a renewal must know that. */
export type TokenVerdict =
  | ProbeVerdict
  /** It seems dead, and is so young that Presto's own replicas may not know it yet. */
  | "young"
  /** Presto looks for the record before the token, so that it answers 404 to any token. */
  | "blind"
  /** The same, but it has accepted the token in a call of our own that was sent lately enough. */
  | "alive-lately";

/** For whom all that is not sure is unclear. */
export function plainVerdict(verdict: TokenVerdict): ProbeVerdict {
  return verdict === "alive" || verdict === "dead" ? verdict : "unclear";
}

/** What the one who asks knows of the token, or wants to know. */
export interface ProbeQuestion {
  /** When it was made, by Presto's clock; null where that is not known. */
  readonly issuedAt?: Date | null;
  /** From which monotonic time on a call that was accepted says that it lives, where Presto looks for the record first. */
  readonly acceptedFrom?: () => number;
}

/** Never rejects. */
export type Probe = (token: Secret, question?: ProbeQuestion) => Promise<TokenVerdict>;

export interface TokenProbeOptions {
  /** Sends the GET with this token, on a connection of its own. Never rejects. */
  readonly ask: (token: Secret) => Promise<ProbeAnswer>;
  readonly clock: Clock;
  /** Presto's wall clock, milliseconds since 1970; without it ours. */
  readonly prestoNow?: () => number;
  /** What this process's own calls have shown; without it the probe has nothing but its own questions. */
  readonly evidence?: TokenHealth;
  /** Called once, if it turns out that Presto looks for the record before the token: then most probes stay unclear. */
  readonly onBlind?: () => void;
}

/** Between two 401s, milliseconds: one can lie while Presto's own replicas catch up. */
const apartMs = 2_000;

/**
 * Finds out whether a token lives, as the renewal protocol says: 401 twice, on different
 * connections and 2 s apart, is dead; success is alive, also after a 401 that lied; "no such
 * transaction" is alive only if a made-up token gets 401 for the same question, since some
 * servers look for the record before they look at the token. All else is unclear, and nothing
 * follows from it.
 *
 * What the questions leave open, the answers to the process's own calls may settle. They
 * also take back a "dead" that they contradict: then nothing follows from either.
 */
export function createProbe(options: TokenProbeOptions): Probe {
  const { ask, clock, evidence, onBlind } = options;
  const prestoNow = options.prestoNow ?? clock.now;
  let looksAtTokenFirst = false;
  let isTold = false;

  /** Presto knows no such transaction. Does that say that it has let the token in? */
  async function notFound(): Promise<"alive" | "blind" | "unclear"> {
    if (looksAtTokenFirst) return "alive";
    const answer = await ask(new Secret(randomBytes(32).toString("hex")));
    looksAtTokenFirst = answer === "unauthorized";
    if (answer !== "not-found") return looksAtTokenFirst ? "alive" : "unclear";
    if (!isTold) onBlind?.();
    isTold = true;
    return "blind";
  }

  /** What the questions alone say. */
  async function question(token: Secret): Promise<ProbeVerdict | "blind"> {
    switch (await ask(token)) {
      case "success":
        return "alive";
      case "not-found":
        return notFound();
      case "unauthorized": {
        await clock.sleep(apartMs);
        const again = await ask(token);
        if (again === "unauthorized") return "dead";
        if (again === "success") return "alive";
        return again === "not-found" ? notFound() : "unclear";
      }
      case "other":
        return "unclear";
    }
  }

  return async (token, { issuedAt = null, acceptedFrom } = {}) => {
    const id = token.fingerprint();
    const startedAt = clock.monotonic();
    const wasYoung = evidence?.isYoung(id) === true;
    const found = await question(token);
    // Asked only now: the answers have told a process that has just started what time it is there.
    const beganAt = prestoNow() - (clock.monotonic() - startedAt);
    const isYoung = wasYoung || (issuedAt !== null && youngLeftMs(issuedAt, beganAt) > 0);
    switch (found) {
      case "alive":
        evidence?.accepted(id, startedAt);
        return "alive";
      case "dead":
        if (evidence?.acceptedSince(id, startedAt) === true) return "unclear";
        return isYoung ? "young" : "dead";
      case "blind":
      case "unclear": {
        if (evidence?.acceptedSince(id, startedAt) === true) return "alive";
        if (evidence?.refusedTwice(id) === true) return isYoung ? "young" : "dead";
        const isAccepted =
          acceptedFrom !== undefined &&
          evidence?.acceptedSince(id, acceptedFrom()) === true &&
          !evidence.isRefused(id);
        return found === "blind" && isAccepted ? "alive-lately" : found;
      }
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
