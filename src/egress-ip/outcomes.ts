import { ConnectError } from "../connect/errors.ts";
import { Problem } from "../errors.ts";
import { beginsAsJson, isJson, mediaTypeOf, type SeenResponse } from "../upstream/call.ts";

/**
 * What an exchange with Presto shows of the address that it came from. What an address that is
 * not registered meets is left open by the API's documentation: 403, a page, or a reset.
 *
 * - `accepted`: 2xx.
 * - `app-refused`: another 4xx in JSON than those named here.
 * - `rate-limited`: 429 in JSON.
 * - `token-refused`: 401 to the token in use. `token-dead`: a probe has proved it.
 * - `forbidden`: 403, in JSON or without content.
 * - `block-page`: an HTML page with 2xx, 403 or another 4xx.
 * - `reset`: the connection was reset, or ended before TLS was up. `refused`: no TCP connection.
 * - `timed-out`: no connection, or no answer, in time.
 * - `failing`: 5xx, or an answer that was malformed or cut off.
 * - `unclear`: all that tells nothing of Presto: names, this machine, the egress proxy, TLS, redirects, a page with 401 or 429.
 */
const outcomeKinds = [
  "accepted",
  "app-refused",
  "rate-limited",
  "token-refused",
  "token-dead",
  "forbidden",
  "block-page",
  "reset",
  "refused",
  "timed-out",
  "failing",
  "unclear",
] as const;

export type OutcomeKind = (typeof outcomeKinds)[number];

/** How one counts. */
export interface OutcomeMeaning {
  /** Presto's application answered, so the address was let in. */
  readonly letIn?: true;
  /** What an address that is not registered would meet. */
  readonly sign?: true;
  /** Not a sign by what is documented, but reason enough to look at the address. */
  readonly suspicious?: true;
}

export const meanings: Readonly<Record<OutcomeKind, OutcomeMeaning>> = {
  accepted: { letIn: true },
  "app-refused": { letIn: true },
  "rate-limited": { letIn: true },
  "token-refused": { letIn: true },
  "token-dead": { letIn: true },
  forbidden: { sign: true },
  "block-page": { sign: true },
  reset: { sign: true },
  refused: { sign: true },
  "timed-out": { suspicious: true },
  failing: {},
  unclear: {},
};

/** Sorts a response to a call that was made with the token. */
export function kindOfResponse(response: SeenResponse): OutcomeKind {
  const { status, body } = response;
  // Nearly every call: settled without a look at the fields, for it costs on the request path.
  if (status >= 200 && status < 300 && beginsAsJson(body)) return "accepted";
  if (status >= 500) return "failing";
  if (status < 200 || (status >= 300 && status < 400)) return "unclear";
  const shape = shapeOf(response);
  if (status === 401 || status === 429) {
    if (shape === "page") return "unclear";
    if (status === 401) return "token-refused";
    return shape === "json" ? "rate-limited" : "unclear";
  }
  if (shape === "page") return "block-page";
  if (status < 300) return "accepted";
  if (status === 403) return "forbidden";
  return shape === "json" ? "app-refused" : "unclear";
}

/**
 * Sorts the end of a call of this process's own that carried no token in use (or none at all):
 * a 401 to it proves that Presto's application was reached, and says nothing of the token.
 */
export function kindOfOwnResponse(response: SeenResponse): OutcomeKind {
  const kind = kindOfResponse(response);
  return kind === "token-refused" ? "app-refused" : kind;
}

/** Sorts what a call, or an attempt to connect, failed with. */
export function kindOfFailure(error: unknown): OutcomeKind {
  if (error instanceof ConnectError) return kindOfConnectError(error);
  if (!(error instanceof Problem)) return "unclear";
  if (error.cause instanceof ConnectError) return kindOfConnectError(error.cause);
  switch (error.code) {
    case "upstream-broken":
      return error.proxyStatus === "connection_terminated" ? "reset" : "failing";
    case "upstream-timeout":
      return "timed-out";
    default:
      return "unclear";
  }
}

function kindOfConnectError({ kind, place, proxyStatus }: ConnectError): OutcomeKind {
  if (place !== "presto") return "unclear";
  if (proxyStatus === "connection_terminated") return "reset";
  if (proxyStatus === "connection_refused") return "refused";
  return kind === "timeout" && proxyStatus === "connection_timeout" ? "timed-out" : "unclear";
}

/** By its type, or, without one, by how it begins. */
function shapeOf(response: SeenResponse): "json" | "page" | "other" {
  if (isJson(response)) return "json";
  const type = mediaTypeOf(response);
  if (type !== "") return type === "text/html" || type === "application/xhtml+xml" ? "page" : "other";
  const { body } = response;
  return Buffer.isBuffer(body) && body.toString("latin1", 0, 64).trimStart().startsWith("<")
    ? "page"
    : "other";
}

/** How often each kind is among the outcomes that are looked at. */
export type Tally = Readonly<Record<OutcomeKind, number>>;

/** The last outcomes, in the order in which they became known. */
export interface RecentOutcomes {
  /** Costs two numbers: it is called for every exchange. @param now monotonic */
  add(kind: OutcomeKind, now: number): void;
  /** Counts the last of them. Refusals of a token that was accepted later are left out. */
  tally(now: number): Tally;
  /** As `tally`, of those alone that came after the last `accepted`. */
  tallySinceAccepted(now: number): Tally;
  /** Milliseconds since the last outcome that tells something; undefined without one. */
  ageMs(now: number): number | undefined;
  /** Something has changed, and what was says nothing of what is. */
  forget(): void;
}

/** Enough to see a majority, few enough for a change to show after nine calls. */
const looksAt = 16;

/** Milliseconds. What is older says nothing of now. */
export const recentMs = 5 * 60_000;

const numbers = new Map(outcomeKinds.map((kind, index) => [kind, index]));
const unclear = outcomeKinds.indexOf("unclear");
const acceptedNumber = outcomeKinds.indexOf("accepted");

export function createRecentOutcomes(): RecentOutcomes {
  const kinds = new Uint8Array(looksAt);
  const times = new Float64Array(looksAt);
  let added = 0;

  /** Newest first. */
  function* recent(now: number): Generator<{ readonly kind: OutcomeKind; readonly at: number }> {
    for (let back = 1; back <= Math.min(added, looksAt); back += 1) {
      const place = (added - back) % looksAt;
      const at = times[place] ?? 0;
      const kind = outcomeKinds[kinds[place] ?? unclear];
      if (now - at > recentMs || kind === undefined) return;
      yield { kind, at };
    }
  }

  return {
    add(kind, now) {
      const number = kind === "accepted" ? acceptedNumber : (numbers.get(kind) ?? unclear);
      // It would only push out what tells something.
      if (number === unclear) return;
      const place = added % looksAt;
      kinds[place] = number;
      times[place] = now;
      added += 1;
    },
    tally(now) {
      const counts = emptyTally();
      let accepted = false;
      for (const { kind } of recent(now)) {
        if (accepted && (kind === "token-refused" || kind === "token-dead")) continue;
        counts[kind] += 1;
        accepted ||= kind === "accepted";
      }
      return counts;
    },
    tallySinceAccepted(now) {
      const counts = emptyTally();
      for (const { kind } of recent(now)) {
        if (kind === "accepted") break;
        counts[kind] += 1;
      }
      return counts;
    },
    ageMs(now) {
      for (const { at } of recent(now)) return now - at;
      return undefined;
    },
    forget() {
      added = 0;
    },
  };
}

function emptyTally(): Record<OutcomeKind, number> {
  return {
    accepted: 0,
    "app-refused": 0,
    "rate-limited": 0,
    "token-refused": 0,
    "token-dead": 0,
    forbidden: 0,
    "block-page": 0,
    reset: 0,
    refused: 0,
    "timed-out": 0,
    failing: 0,
    unclear: 0,
  };
}

/** How many of a tally Presto's application answered. */
export function countLetIn(tally: Tally): number {
  let count = 0;
  for (const kind of outcomeKinds) if (meanings[kind].letIn === true) count += tally[kind];
  return count;
}

const texts: Readonly<Record<OutcomeKind, string>> = {
  accepted: "accepted (2xx)",
  "app-refused": "answered by Presto's application (4xx in JSON)",
  "rate-limited": "answered with 429: too many requests",
  "token-refused": "answered with 401: the token is not accepted",
  "token-dead": "a probe found the token dead",
  forbidden: "answered with 403",
  "block-page": "answered with an HTML page",
  reset: "the connection was reset",
  refused: "the connection was refused",
  "timed-out": "no answer in time",
  failing: "an error of the server's (5xx, or an answer cut off)",
  unclear: "unclear",
};

/** What a verdict rests on, one sentence a kind, the most frequent first. */
export function describeTally(tally: Tally, ageMs: number | undefined): string[] {
  const all = outcomeKinds.reduce((sum, kind) => sum + tally[kind], 0);
  if (all === 0) return ["No exchange with Presto in the last 5 minutes tells anything."];
  const counts = outcomeKinds
    .filter((kind) => tally[kind] > 0)
    .toSorted((one, other) => tally[other] - tally[one])
    .map((kind) => `${tally[kind]} of the last ${all} exchanges with Presto: ${texts[kind]}.`);
  return [...counts, `The last of them was ${Math.round((ageMs ?? 0) / 1000)} s ago.`];
}
