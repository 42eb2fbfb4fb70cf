import type { Clock } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import { Problem } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import type { Network } from "../lib/ip.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import type { SeenResponse } from "../upstream/call.ts";
import type { CheckAnswer } from "./check-url.ts";
import { classify, type EgressVerdict } from "./classify.ts";
import { createContactSigns, createEgressLatch } from "./latch.ts";
import { type AddressEvent, type AddressWatch, createAddressWatch, type EgressReport } from "./observed.ts";
import {
  createRecentOutcomes,
  describeTally,
  kindOfFailure,
  kindOfOwnResponse,
  kindOfResponse,
  meanings,
  type OutcomeKind,
  type RecentOutcomes,
} from "./outcomes.ts";
import { createCheckSchedule, type RoundEnd } from "./schedule.ts";

/** What is told of the address that this process leaves from. */
export type EgressEvent = AddressEvent | EgressVerdictChanged | EgressLatchChanged;

/** How this process stands with Presto, by its last exchanges and by the check URLs. */
interface EgressVerdictChanged {
  readonly type: "egress-verdict-changed";
  readonly verdict: EgressVerdict;
  readonly evidence: readonly string[];
}

/** Calls are blocked from now on, and why; or (undefined) they leave again. */
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
  /** Empty: nothing is asked, and calls are never blocked. */
  readonly urls: readonly AskedUrl[];
  /** Asks Presto without a token, and says how it was answered. Never rejects. */
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
 * beside the request path: a call asks `blockedReason`, which reads one variable.
 */
export interface EgressCheck {
  /** Asks the check URLs for the first time; resolves when they have answered, or their time is over. */
  start(): Promise<void>;
  /** False while calls are blocked. */
  mayLeave(): boolean;
  /** Why they are, in one sentence; undefined while they are not. */
  blockedReason(): string | undefined;
  /** Presto answered a call that carried the token. @param sentAt monotonic time of its sending, or of something before that */
  answered(response: SeenResponse, sentAt: number): void;
  /** A call ended without an answer. A failure to connect is passed over: `connectFailed` tells of it. */
  failed(error: unknown): void;
  /** A connection to Presto could not be made, whatever it was wanted for. */
  connectFailed(error: unknown): void;
  /** Presto answered a call of this process's own, such as issuing or a probe. A 401 to it tells nothing of the token in use. */
  ownCallAnswered(response: SeenResponse, sentAt: number): void;
  /** What a probe of the token in use has found. */
  probed(verdict: ProbeVerdict): void;
  report(): EgressReport;
  close(): void;
}

export function createEgressCheck(options: EgressCheckOptions): EgressCheck {
  const { registered, urls, latch, clock, random, emit } = options;
  const recent = createRecentOutcomes();
  const signs = createContactSigns(clock);
  const watch = createAddressWatch({ registered, names: urls.map(({ name }) => name), clock, emit });
  const gate = createEgressLatch({
    watch,
    signs,
    onClose(reason) {
      latch.close(reason);
      emit({ type: "egress-latch-changed", reason });
    },
    onOpen() {
      // What was turned away says nothing of the address that calls leave from now.
      recent.forget();
      // All but the answer that has opened it.
      if (gate.isContradicted()) recent.add("app-refused", clock.monotonic());
      signs.forget();
      latch.open();
      emit({ type: "egress-latch-changed", reason: undefined });
    },
  });
  const standing = createStanding({ recent, watch, gate, clock, emit });
  const schedule = createCheckSchedule({ round, clock, random });
  let over = false;

  function settle(): void {
    gate.settle();
    standing.settle();
  }

  function note(kind: OutcomeKind, sentAt: number): void {
    recent.add(kind, clock.monotonic());
    const askSoon = signs.note(meanings[kind], sentAt);
    if (kind === "accepted" && standing.isRegistered() && gate.reason() === undefined) return;
    if (askSoon && urls.length > 0 && gate.reason() === undefined) schedule.soon();
    settle();
  }

  async function round(): Promise<RoundEnd> {
    const begunAt = clock.monotonic();
    const answers = await Promise.all(urls.map(({ ask }) => ask()));
    if (over) return "open";
    watch.take(answers, begunAt);
    const { counts, addresses } = watch.findings();
    // Two that agree decide. One alone waits for what Presto itself says.
    if (counts.notRegistered !== 1 || gate.reason() !== undefined) settle();
    if (counts.notRegistered > 0 || gate.reason() !== undefined) {
      const probedAt = clock.monotonic();
      const kind = await options.unauthenticatedProbe();
      if (over) return "open";
      note(kind, probedAt);
    }
    if (gate.reason() !== undefined) return "closed";
    return addresses.length === 0 ? "silent" : "open";
  }

  return {
    start: () => (urls.length === 0 ? Promise.resolve() : schedule.now()),
    mayLeave: () => gate.reason() === undefined,
    blockedReason: gate.reason,
    answered: (response, sentAt) => note(kindOfResponse(response), sentAt),
    failed(error) {
      const cause = error instanceof Problem ? error.cause : error;
      if (!(cause instanceof ConnectError)) note(kindOfFailure(error), clock.monotonic());
    },
    connectFailed: (error) => note(kindOfFailure(error), clock.monotonic()),
    ownCallAnswered: (response, sentAt) => note(kindOfOwnResponse(response), sentAt),
    probed(found) {
      if (found === "dead") note("token-dead", Number.NEGATIVE_INFINITY);
    },
    report: standing.report,
    close() {
      over = true;
      schedule.stop();
    },
  };
}

interface StandingDeps {
  readonly recent: RecentOutcomes;
  readonly watch: AddressWatch;
  readonly gate: Pick<ReturnType<typeof createEgressLatch>, "reason" | "isContradicted">;
  readonly clock: Clock;
  readonly emit: Emit<EgressVerdictChanged>;
}

/** How this process stands with Presto, by all that is known: for people. */
interface Standing {
  /** Tells of another verdict. */
  settle(): void;
  isRegistered(): boolean;
  report(): EgressReport;
}

function createStanding({ recent, watch, gate, clock, emit }: StandingDeps): Standing {
  let verdict: EgressVerdict = "unknown";

  function decide(): EgressVerdict {
    if (gate.reason() !== undefined) return "not-registered";
    const now = clock.monotonic();
    return classify({
      tally: recent.tally(now),
      sinceAccepted: recent.tallySinceAccepted(now),
      addresses: watch.findings().counts,
    });
  }

  function evidence(): readonly string[] {
    const now = clock.monotonic();
    const blocked = gate.reason();
    return [
      ...(blocked === undefined ? [] : [blocked]),
      ...watch.describe(),
      ...(blocked === undefined && gate.isContradicted() ? [contradiction] : []),
      ...describeTally(recent.tally(now), recent.ageMs(now)),
    ];
  }

  return {
    settle() {
      const found = decide();
      if (found === verdict) return;
      verdict = found;
      emit({ type: "egress-verdict-changed", verdict, evidence: evidence() });
    },
    isRegistered: () => verdict === "registered",
    report() {
      const { addresses, registered } = watch.findings();
      return {
        addresses,
        registered,
        closed: gate.reason() ?? null,
        verdict: decide(),
        evidence: evidence(),
        checkedAt: watch.checkedAt(),
        checkUrls: watch.urls(),
      };
    },
  };
}

const contradiction =
  "Presto's application answers all the same, so calls go on; see whether PRESTO_EGRESS_IPS is complete.";
