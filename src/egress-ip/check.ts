import type { Clock } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import { Problem } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import type { Network } from "../lib/ip.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import type { CheckAnswer } from "./check-url.ts";
import { type AddressCounts, classify, type EgressVerdict } from "./classify.ts";
import { type AddressEvent, createAddressWatch, type EgressReport } from "./observed.ts";
import {
  createRecentOutcomes,
  describeTally,
  kindOfResponse,
  kindOfFailure,
  kindOfOwnResponse,
  meanings,
  type OutcomeKind,
  recentMs,
  type SeenResponse,
} from "./outcomes.ts";
import { createCheckSchedule, type RoundEnd } from "./schedule.ts";

/** What the latch is judged by. */
export interface LatchInputs {
  readonly closed: boolean;
  /** What the last round of questions showed; a check URL that did not answer is in neither count. */
  readonly addresses: AddressCounts;
  /** Presto's application has answered a call that was sent after these addresses were first seen. */
  readonly letInSince: boolean;
  /** How often Presto, since its application answered last, did what it would do to an address that is not registered. */
  readonly signs: number;
}

/** Once Presto has contradicted the check URLs, calls that were turned away for what they asked must not count. */
const signsAgainstPresto = 5;

/**
 * Whether calls must be kept back. A check URL is a stranger's page, and one alone must not
 * stop payments: it takes two that agree, or one and Presto's own behaviour; and what Presto's
 * application answers after that counts more than all of them. One that is down closes nothing.
 */
export function mustBeClosed({ closed, addresses, letInSince, signs }: LatchInputs): boolean {
  const { registered, notRegistered } = addresses;
  if (letInSince && signs < signsAgainstPresto) return false;
  if (notRegistered >= 2) return true;
  if (notRegistered === 1 && signs > 0) return true;
  return closed && registered === 0;
}

/** What is told of the address that this process leaves from. */
export type EgressEvent = AddressEvent | EgressVerdictChanged | EgressLatchChanged;

/** How this process stands with Presto, by its last exchanges and by the check URLs. */
interface EgressVerdictChanged {
  readonly type: "egress-verdict-changed";
  readonly verdict: EgressVerdict;
  readonly evidence: readonly string[];
}

/** Calls are kept back from now on, and why; or (undefined) they leave again. */
interface EgressLatchChanged {
  readonly type: "egress-latch-changed";
  readonly reason: string | undefined;
}

/** A check URL that can be asked. */
export interface AskedUrl {
  /** What it is called. */
  readonly name: string;
  /** Never rejects. */
  readonly ask: () => Promise<CheckAnswer>;
}

export interface EgressCheckOptions {
  /** The addresses that are registered with Presto. Empty: what is seen is shown, and compared with nothing. */
  readonly registered: readonly Network[];
  /** Empty: nothing is asked, and calls are never kept back. */
  readonly urls: readonly AskedUrl[];
  /** Calls at Presto's door without a token, and says how it was answered. Never rejects. */
  readonly unauthenticatedProbe: () => Promise<OutcomeKind>;
  /** Keeps readiness in step. */
  readonly latch: { close(reason: string): void; open(): void };
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  readonly emit: Emit<EgressEvent>;
}

/**
 * Knows the address that this process leaves from, and whether Presto lets it in.
 *
 * Whatever is exchanged with Presto is told here, each thing once. What takes time is done
 * beside the request path: a call asks `mayLeave`, which reads one variable.
 */
export interface EgressCheck {
  /** Asks the check URLs for the first time; resolves when they have answered, or their time is over. */
  start(): Promise<void>;
  /** False while calls must be kept back. */
  mayLeave(): boolean;
  /** Why they are, in one sentence; undefined while they are not. */
  blockedReason(): string | undefined;
  /** Presto answered a call that carried the token. @param sentAt monotonic time of its sending, or of something before that */
  answered(answer: SeenResponse, sentAt: number): void;
  /** A call ended without an answer. A failure to connect is passed over: `connectFailed` tells of it. */
  failed(error: unknown): void;
  /** A connection to Presto could not be made, whatever it was wanted for. */
  connectFailed(error: unknown): void;
  /** Presto answered a call of this process's own, such as issuing or a probe. A 401 to it tells nothing of the token in use. */
  ownCallAnswered(answer: SeenResponse, sentAt: number): void;
  /** What a probe of the token in use has found. */
  probed(verdict: ProbeVerdict): void;
  report(): EgressReport;
  close(): void;
}

/** Calls that fail in a row ask for a round; a single one does only if none was let in for so long, in milliseconds. */
const enoughInARow = 3;
const quietMs = 10_000;

export function createEgressCheck(options: EgressCheckOptions): EgressCheck {
  const { registered, urls, unauthenticatedProbe: knock, latch, clock, random, emit } = options;
  const recent = createRecentOutcomes();
  const watch = createAddressWatch({ registered, names: urls.map(({ name }) => name), clock, emit });
  const schedule = createCheckSchedule({ round, clock, random });
  let letInSentAt = Number.NEGATIVE_INFINITY;
  let signs = 0;
  let signAt = Number.NEGATIVE_INFINITY;
  /** Exchanges since Presto's application answered last that fail as they might from a strange address. */
  let inARow = 0;
  let closed: string | undefined;
  let verdict: EgressVerdict = "unknown";
  let over = false;

  function note(kind: OutcomeKind, sentAt: number): void {
    const now = clock.monotonic();
    recent.add(kind, now);
    const { letIn, sign, suspicious } = meanings[kind];
    if (letIn === true) {
      if (sentAt > letInSentAt) letInSentAt = sentAt;
      if (sentAt >= signAt) {
        signs = 0;
        inARow = 0;
      }
      if (kind === "accepted" && verdict === "registered" && closed === undefined) return;
    } else if (sign === true || suspicious === true) {
      inARow += 1;
      if (inARow >= enoughInARow || now - letInSentAt >= quietMs) askSoon();
    }
    if (sign === true) {
      signs = now - signAt > recentMs ? 1 : signs + 1;
      signAt = now;
    }
    settle();
  }

  function askSoon(): void {
    if (urls.length > 0 && closed === undefined) schedule.soon();
  }

  /** Brings latch and verdict in step with what is known. */
  function settle(): void {
    const now = clock.monotonic();
    const must = mustBeClosed({
      closed: closed !== undefined,
      addresses: watch.findings().counts,
      letInSince: isContradicted(),
      signs: now - signAt > recentMs ? 0 : signs,
    });
    if (must) close();
    else if (closed !== undefined) open();
    const found = judge();
    if (found === verdict) return;
    verdict = found;
    emit({ type: "egress-verdict-changed", verdict, evidence: evidence() });
  }

  function judge(): EgressVerdict {
    if (closed !== undefined) return "not-registered";
    const now = clock.monotonic();
    return classify({
      tally: recent.tally(now),
      sinceAccepted: recent.tallySinceAccepted(now),
      addresses: watch.findings().counts,
    });
  }

  /** Has Presto's application answered a call that was sent after the check URLs saw a strange address? */
  function isContradicted(): boolean {
    return letInSentAt >= watch.strangeSince();
  }

  function close(): void {
    const { strange } = watch.findings();
    // While no check URL answers, what the last of them said stands.
    const reason = strange.length === 0 && closed !== undefined ? closed : keptBack(strange);
    if (reason === closed) return;
    closed = reason;
    latch.close(reason);
    emit({ type: "egress-latch-changed", reason });
  }

  function open(): void {
    closed = undefined;
    // What was turned away says nothing of the address that calls leave from now.
    recent.forget();
    // All but the answer that has opened it.
    if (isContradicted()) recent.add("app-refused", clock.monotonic());
    signs = 0;
    inARow = 0;
    latch.open();
    emit({ type: "egress-latch-changed", reason: undefined });
  }

  async function round(): Promise<RoundEnd> {
    const begunAt = clock.monotonic();
    const answers = await Promise.all(urls.map(({ ask }) => ask()));
    if (over) return "open";
    watch.take(answers, begunAt);
    const { counts, addresses } = watch.findings();
    // Two that agree decide. One alone waits for what Presto itself says.
    if (counts.notRegistered !== 1 || closed !== undefined) settle();
    if (counts.notRegistered > 0 || closed !== undefined) {
      const knockedAt = clock.monotonic();
      const kind = await knock();
      if (over) return "open";
      note(kind, knockedAt);
    }
    if (closed !== undefined) return "closed";
    return addresses.length === 0 ? "silent" : "open";
  }

  function evidence(): readonly string[] {
    const now = clock.monotonic();
    const contradicted = closed === undefined && isContradicted();
    return [
      ...(closed === undefined ? [] : [closed]),
      ...watch.describe(),
      ...(contradicted ? [contradiction] : []),
      ...describeTally(recent.tally(now), recent.ageMs(now)),
    ];
  }

  return {
    start: () => (urls.length === 0 ? Promise.resolve() : schedule.now()),
    mayLeave: () => closed === undefined,
    blockedReason: () => closed,
    answered: (answer, sentAt) => note(kindOfResponse(answer), sentAt),
    failed(error) {
      const cause = error instanceof Problem ? error.cause : error;
      if (!(cause instanceof ConnectError)) note(kindOfFailure(error), clock.monotonic());
    },
    connectFailed: (error) => note(kindOfFailure(error), clock.monotonic()),
    ownCallAnswered: (answer, sentAt) => note(kindOfOwnResponse(answer), sentAt),
    probed(found) {
      if (found === "dead") note("token-dead", Number.NEGATIVE_INFINITY);
    },
    report() {
      const { addresses, registered: isRegistered } = watch.findings();
      return {
        addresses,
        registered: isRegistered,
        closed: closed ?? null,
        verdict: judge(),
        evidence: evidence(),
        checkedAt: watch.checkedAt(),
        checkUrls: watch.urls(),
      };
    },
    close() {
      over = true;
      schedule.stop();
    },
  };
}

const contradiction =
  "Presto's application answers all the same, so calls go on; see whether PRESTO_EGRESS_IPS is complete.";

function keptBack(strange: readonly string[]): string {
  return `This process would leave from ${strange.join(" and ")}, which ${strange.length === 1 ? "is" : "are"} not in PRESTO_EGRESS_IPS; leave from a registered address, or have this one registered with Presto.`;
}
