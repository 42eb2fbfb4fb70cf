import { ConnectError } from "../connect/errors.ts";
import { kindOfOwnResponse, type OutcomeKind } from "../egress-ip/outcomes.ts";
import { requestTransaction, type TokenVerdict, type TransactionRequestOptions } from "../presto/probe.ts";
import { leastAheadMs } from "../presto/server-time.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { DatedAnswer } from "../store/inspection.ts";
import { youngLeftMs, youngMs } from "../token/health.ts";
import { fieldOf } from "../upstream/call.ts";
import { OwnRequestError } from "../upstream/request-once.ts";
import type { TokenOptions } from "./check-local.ts";
import {
  type Attempted,
  type Check,
  fail,
  type Finding,
  lateDetail,
  lateMend,
  ok,
  sentenceOf,
  skip,
  warn,
} from "./finding.ts";

/** What came of a question without a token; undefined where no connection could be had to ask over. */
export type ReachedResult = Attempted<ProbeResponse> | undefined;

/** Has Presto's own application answered, so that this address is let in? */
export function wasLetIn(reached: ReachedResult): boolean {
  return outcomeOf(reached) === "app-refused";
}

function outcomeOf(reached: ReachedResult): OutcomeKind | undefined {
  return reached?.kind === "done" && reached.value.kind === "answered" ? reached.value.outcome : undefined;
}

const noConnection = "No connection was had to ask over; see above.";

/** Does Presto's application answer? */
export function checkReached(reached: ReachedResult): Finding {
  if (reached === undefined) return skip("presto", noConnection);
  if (reached.kind === "late") return fail("presto", "unreachable", lateDetail, lateMend);
  if (reached.kind === "failed") {
    return fail("presto", "unreachable", sentenceOf(reached.error), "See the lines above.");
  }
  const answer = reached.value;
  if (answer.kind === "no-answer") {
    return fail(
      "presto",
      "unreachable",
      noAnswer(answer),
      "See Presto's own status; a firewall that does not know this address may do the same.",
    );
  }
  return checkAnswer(answer.status, answer.outcome);
}

function noAnswer({ late, error }: Extract<ProbeResponse, { kind: "no-answer" }>): string {
  if (late) return "Nothing was answered in time, though a connection was had.";
  // Other messages of a call warn that Presto may have acted, which it can't on this question.
  return error instanceof ConnectError
    ? sentenceOf(error)
    : "The connection broke before an answer was whole.";
}

function checkAnswer(status: number, outcome: OutcomeKind): Finding {
  switch (outcome) {
    case "app-refused":
      return ok("presto", `Its application answers (${status} to a question without a token).`);
    case "rate-limited":
      return warn(
        "presto",
        `Its application answers, but with ${status}: there were too many requests.`,
        "See who calls so often from this address.",
      );
    case "forbidden":
    case "block-page":
      return fail(
        "presto",
        "refused",
        `${status} was answered${outcome === "block-page" ? " with an HTML page" : ""}, as an address that is not registered may be met.`,
        "See egress-registered (or ask your network's operator) for the address that calls leave from, and have it registered with Presto.",
      );
    case "failing":
      return fail(
        "presto",
        "unreachable",
        `It answers with an error of its own (${status}).`,
        "Wait until Presto has mended it, and see its status.",
      );
    default:
      return fail(
        "presto",
        "unreachable",
        `${status} was answered to a question without a token, which is not how Presto's application answers.`,
        "See that PRESTO_URL names Presto itself, and nothing that redirects or answers in its place.",
      );
  }
}

/** Seconds. What Presto dates is read in whole seconds, and tokens end at midnight. */
const warnAboveS = 5;
const failAboveS = 60;

/** How far this machine's clock is from Presto's. */
export function checkClock(reached: ReachedResult): Finding {
  if (reached?.kind !== "done" || reached.value.kind !== "answered") {
    return skip("clock", "There was no answer of Presto's whose Date could be read.");
  }
  return clockFinding("clock", "Presto's", reached.value, failAboveS);
}

/**
 * How far this machine's clock is from a server's.
 * @param whose names the server, as in `Presto's`
 * @param failsAboveS seconds from which it is more than odd
 */
export function clockFinding(
  check: Check,
  whose: string,
  { date, sentAt, receivedAt }: DatedAnswer,
  failsAboveS: number,
): Finding {
  const at = Date.parse(date ?? "");
  if (Number.isNaN(at)) return skip(check, `There is no Date of ${whose} that could be read.`);
  const ms = leastAheadMs(at, sentAt, receivedAt);
  const seconds = Math.abs(ms) / 1000;
  if (seconds <= warnAboveS) return ok(check, `It agrees with ${whose} to within some seconds.`);
  const detail = `This machine's clock is ${Math.round(seconds)} s ${ms > 0 ? "behind" : "ahead of"} ${whose}.`;
  const mend = "Have this machine's clock set by NTP, and see that it stays set.";
  return seconds > failsAboveS ? fail(check, "configuration", detail, mend) : warn(check, detail, mend);
}

/** Undefined where the token could not be asked about: Presto's application did not answer. */
export type ProbeResult = Attempted<TokenVerdict> | undefined;

/** Does Presto accept the stored token? */
export function checkAccepted(options: TokenOptions, probed: ProbeResult): Finding {
  const { record, issuing, store } = options;
  if (record === undefined || record.token === null)
    return skip("token-accepted", "There is no token to ask about.");
  if (probed === undefined) {
    return skip("token-accepted", "Presto's application could not be asked; see above.");
  }
  if (probed.kind === "late") return fail("token-accepted", "unreachable", lateDetail, lateMend);
  if (probed.kind === "failed") {
    return fail("token-accepted", "unreachable", sentenceOf(probed.error), "See the lines above.");
  }
  switch (probed.value) {
    case "alive":
      return ok("token-accepted", "Presto accepts the stored token.");
    case "blind":
      return warn(
        "token-accepted",
        "Presto looks for the transaction before it looks at the token, so a probe can't tell whether the stored token lives.",
        "See whether calls of apps are answered; in role rotator nothing else tells.",
      );
    case "young":
    case "alive-lately":
    case "unclear":
      return warn(
        "token-accepted",
        "Presto gave no answer that tells whether the stored token lives.",
        "Run this again in a while.",
      );
    case "dead": {
      const detail = "Presto refuses the stored token (401, asked twice).";
      const youngMsLeft = record.issuedAt === null ? 0 : youngLeftMs(record.issuedAt, options.now);
      if (youngMsLeft > 0) {
        return warn(
          "token-accepted",
          `${detail} But it is younger than ${youngMs / 1000} s, and its own replicas may not know it yet (young-token).`,
          `Run this again after ${new Date(options.now + youngMsLeft).toISOString()}.`,
        );
      }
      if (issuing?.automatic === true && hasExpired(record, options.now)) {
        return warn(
          "token-accepted",
          `${detail} It has expired.`,
          "Start the sidecar, which renews it at once.",
        );
      }
      return fail(
        "token-accepted",
        "refused",
        `${detail} It was revoked, has expired, or is of another account.`,
        deadMend(store, issuing !== undefined),
      );
    }
  }
}

function deadMend(store: TokenOptions["store"], issues: boolean): string {
  const { deadToken } = store.doctor;
  if (deadToken !== undefined) return deadToken;
  return issues
    ? "Have a new one issued, by a sidecar that runs or with: presto-sidecar token renew"
    : "Have the role that issues renew it, or run: presto-sidecar token import";
}

function hasExpired({ expiresAt }: TokenRecord, now: number): boolean {
  return expiresAt !== null && expiresAt.getTime() <= now;
}

/** What a question without a token was answered with. Times are wall clock, milliseconds since 1970. */
export type ProbeResponse =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly outcome: OutcomeKind;
      /** The Date field (RFC 9110 section 6.6.1), as it came. */
      readonly date: string | undefined;
      /** Right before the first byte. */
      readonly sentAt: number;
      readonly receivedAt: number;
    }
  /** `late`: nothing whole came in time. */
  | { readonly kind: "no-answer"; readonly late: boolean; readonly error: unknown };

export interface ProbeOptions extends Pick<
  TransactionRequestOptions,
  "openPool" | "reference" | "timeoutMs" | "clock"
> {
  /** Gives it up. */
  readonly stop: AbortSignal;
}

/**
 * Asks for a transaction that does not exist, without a token: Presto's application refuses
 * that, and whoever keeps strangers out answers something else. Acts on nothing. Never rejects.
 */
export async function probeUnauthenticated(options: ProbeOptions): Promise<ProbeResponse> {
  const { stop, clock, ...request } = options;
  let sentAt = clock.now();
  const onBegin = (): void => void (sentAt = clock.now());
  const end = await requestTransaction({ ...request, clock, signal: stop, onBegin });
  const receivedAt = clock.now();
  if (end.kind !== "answered") {
    const late = end.cause instanceof OwnRequestError && end.cause.code === "given-up";
    return { kind: "no-answer", late, error: end.cause };
  }
  const { response } = end;
  return {
    kind: "answered",
    status: response.status,
    outcome: kindOfOwnResponse(response),
    date: fieldOf(response, "date"),
    sentAt,
    receivedAt,
  };
}
