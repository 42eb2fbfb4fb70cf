import type { Readiness } from "../admin/readiness.ts";
import type { Clock } from "../clock.ts";
import { type AskedUrl, createEgressCheck, type EgressCheck } from "../egress-ip/check.ts";
import { createUnauthenticatedProbe } from "../egress-ip/open.ts";
import { Problem } from "../errors.ts";
import { within } from "../lib/async.ts";
import { type Emit, ignore } from "../lib/events.ts";
import type { Network } from "../lib/ip.ts";
import { createMoney, type Money, type MoneyOptions } from "../money/money.ts";
import type { Outcomes } from "../money/outcomes.ts";
import { type MoneyRecord, noRecord, withRecord } from "../money/record.ts";
import { mostInBackground } from "../money/settle.ts";
import type { Event, Subscriber } from "../observe/events.ts";
import { movesMoney } from "../policy/operations.ts";
import type { ProbeOptions } from "../presto/probe.ts";
import { createLifecycle, type Lifecycle, recordThatStands } from "../renewal/lifecycle.ts";
import { createRenewal } from "../renewal/machine.ts";
import { dueAt } from "../renewal/schedule.ts";
import type { TokenStore } from "../store/contract.ts";
import { createTokenHealth, type TokenHealth } from "../token/health.ts";
import { createTokenSource, type TokenSource } from "../token/source.ts";
import type { Perform } from "../upstream/call.ts";
import { createCircuit } from "../upstream/circuit.ts";
import type { Connections } from "../upstream/connections.ts";
import { createSend, type Send } from "../upstream/dispatch.ts";
import type { Sender } from "../upstream/exchange.ts";
import { createLimiter, type Limiter, type Limits } from "../upstream/limiter.ts";
import type { OpenPool } from "../upstream/request-once.ts";
import { withToken } from "../upstream/with-token.ts";
import {
  composeReadiness,
  createAlarmFollower,
  keepLatches,
  keepNamesLatch,
  startTokens,
} from "./readiness.ts";
import {
  composeRenewal,
  type IssuingDeps,
  localConsumer,
  type RenewalOptions,
  sealRecordAnew,
} from "./renewal.ts";

/** What a sidecar is told. Durations are milliseconds. */
export interface SidecarOptions {
  readonly role: "proxy" | "rotator" | "all";
  readonly limits: Limits;
  /** Longest that a new request is held because a renewal is under way. */
  readonly holdMaxMs: number;
  /** Between two reads of the store, unless it has a mind of its own. */
  readonly pollMs: number;
  /** Is the store kept by a server? */
  readonly storeIsRemote: boolean;
  /** Addresses that are registered with Presto. */
  readonly registered: readonly Network[];
  readonly probe: ProbeOptions;
  /** How long the ends of calls that move money are asked for. */
  readonly settle: MoneyOptions;
  /** Undefined in a role that issues nothing. */
  readonly renewal: RenewalOptions | undefined;
}

/** All that a sidecar is made over: what stands outside it, and what waits, chances or tells. */
export interface SidecarDeps {
  /** Where the token is read. */
  readonly store: TokenStore;
  /** What takes the calls of apps to Presto; after `rotate` over new connections. */
  readonly dispatcher: Sender & Pick<Connections, "rotate"> & Partial<Pick<Connections, "keepSpares">>;
  /** A connection to Presto for one request of this process's own. */
  readonly openPool: OpenPool;
  /** Who is asked which address we leave from. */
  readonly checkUrls: readonly AskedUrl[];
  /** Undefined in a role that issues nothing. */
  readonly issuing: IssuingDeps | undefined;
  /** Where calls that move money are taken down; nowhere unless given. */
  readonly record?: MoneyRecord;
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  readonly emit: Emit<Event>;
}

/** A sidecar without its listeners: what they serve, and what they show. */
export interface Sidecar {
  /** Brings one call to its end. */
  readonly perform: Perform;
  /** Calls that move money whose end is unclear. */
  readonly outcomes: Outcomes;
  /** Begins to settle calls of an earlier process whose end is not known, by the record, and remembers whose money has moved. */
  readonly reopen: Money["reopen"];
  readonly limiter: Limiter;
  readonly tokens: TokenSource;
  readonly check: EgressCheck;
  readonly readiness: Readiness;
  /** Undefined in a role that issues nothing. */
  readonly lifecycle: Lifecycle | undefined;
  /** Wants to hear of what happens around it: calls that were finished, connections that could not be made. */
  readonly note: Subscriber;
  /**
   * Reads the token, and asks for the address that we leave from.
   * @throws CommandError `configuration` for a record that can't be read
   */
  prepare(): Promise<void>;
  /** Begins with the token's life. Now it is up to the listeners. */
  start(): void;
  /** Ends everything; what was issued at the last moment is still stored, if that is soon done. */
  close(): Promise<void>;
}

/** Longest wait for the store when the process ends, milliseconds. */
const lastWriteMs = 500;

/** The one place that puts a sidecar together: for the program, and for the simulation. */
export function composeSidecar(options: SidecarOptions, deps: SidecarDeps): Sidecar {
  const { store, clock } = deps;
  const readiness = composeReadiness(options.role, deps.checkUrls.length > 0, deps.emit);
  const moveLatches = keepLatches(readiness);
  // What is told of names is told around the sidecar, and not by it.
  const noteNames = keepNamesLatch(readiness.latch("last-good-addresses"));
  // The log tells of a latch before it tells what has moved it.
  const emit: Emit<Event> = (event) => {
    moveLatches(event);
    deps.emit(event);
  };
  const check = composeEgressCheck(options, deps, readiness);
  // Whoever issues tells of it in log and record; everybody shows it.
  const followAlarm = createAlarmFollower(
    options.role === "proxy" ? ignore : deps.emit,
    readiness.latch("alarm"),
  );
  const health = createTokenHealth(clock);
  const tokens = createTokenSource({
    store,
    clock,
    emit,
    holdMaxMs: options.holdMaxMs,
    pollMs: options.pollMs,
    sendsCalls: options.role !== "rotator",
    random: deps.random,
    health,
    onRecord() {
      followAlarm(recordThatStands({ current: tokens.record, lastRead: tokens.lastRead })?.stopped ?? null);
      lifecycle?.recordChanged();
    },
    onRejected: (id) => lifecycle?.tokenRejected(id),
  });
  const limiter = createLimiter(options.limits);
  const send = createSend({
    connections: deps.dispatcher,
    clock,
    egress: { gate: check, refuse: notRegistered },
  });
  const { perform, money } = composeCalls(options, { ...deps, emit }, { send, tokens, limiter });
  const lifecycle = composeLifecycle(options, { ...deps, emit, check, health, tokens, limiter, readiness });

  return {
    perform,
    outcomes: money.outcomes,
    reopen: money.reopen,
    limiter,
    tokens,
    check,
    readiness,
    lifecycle,
    note(event) {
      if (event.type === "call-finished") lifecycle?.look();
      if (event.type === "connect-failed") check.connectFailed(event.error);
      noteNames(event);
    },
    async prepare() {
      const readFirst = async (): Promise<void> => {
        const hint = (): string => firstTokenHint(options, store);
        await startTokens(tokens, readiness.latch("token"), hint, options.storeIsRemote);
        if (deps.issuing !== undefined)
          await sealRecordAnew(deps.issuing.store, tokens.lastRead()?.found, clock);
      };
      await Promise.all([readFirst(), check.start()]);
    },
    start() {
      lifecycle?.start();
      // While there is no token, or calls are blocked, nobody could use one.
      if (options.role !== "rotator")
        deps.dispatcher.keepSpares?.(
          () => check.blockedReason() === undefined && tokens.ready() !== undefined,
        );
      readiness.open("started");
    },
    async close() {
      lifecycle?.close();
      // A token that was heard of at the last moment is still written once.
      if (lifecycle !== undefined) await within(clock, lastWriteMs, lifecycle.drain());
      const { open } = money.outcomes.summary();
      // With a record the next process settles them.
      if (open > 0 && deps.record === undefined) emit({ type: "warning", message: forgotten(open) });
      money.close();
      tokens.close();
      check.close();
    },
  };
}

/** What is said at the end of a process without a record. */
function forgotten(open: number): string {
  return `The process ends, and with it the memory of ${open} ${open === 1 ? "call that moves" : "calls that move"} money without a known end: another process does not keep a second one back. Their lines in the log name them; ask Presto what became of them.`;
}

interface CallDeps {
  readonly send: Send;
  readonly tokens: TokenSource;
  readonly limiter: Limiter;
}

/** The steps of a call, from the outermost: the guard of money, or the circuit; the token and a turn; the record; the send. */
function composeCalls(
  { limits, settle }: SidecarOptions,
  { record = noRecord, clock, random, emit }: SidecarDeps,
  { send, tokens, limiter }: CallDeps,
): { readonly perform: Perform; readonly money: Money } {
  const circuit = createCircuit({ clock, emit }, () => inner);
  const inner = withToken(withRecord(send, { record, clock }), { tokens, limiter, circuit });
  // As many as there may be callers who wait for an answer, and some for the rest: no question waits for a turn.
  const turns = questionTurns(limits.maxInFlight);
  const own = createLimiter({ maxInFlight: turns, maxQueue: turns, maxBuffered: 0 });
  const ask = withToken(send, { tokens, limiter: own });
  const money = createMoney(settle, { perform: inner, ask, record, clock, random, emit });
  return {
    perform(call, end) {
      if (movesMoney(call.operation)) money.perform(call, end);
      else circuit.perform(call, end);
    },
    money,
  };
}

/** How many questions of our own may be under way. */
export function questionTurns(maxInFlight: number): number {
  return maxInFlight + mostInBackground;
}

function composeEgressCheck(
  { registered, probe }: SidecarOptions,
  { checkUrls, openPool, dispatcher, clock, random, emit }: SidecarDeps,
  readiness: Readiness,
): EgressCheck {
  const latch = readiness.latch("egress");
  return createEgressCheck({
    registered,
    urls: checkUrls,
    unauthenticatedProbe: createUnauthenticatedProbe({ openPool, reference: probe.reference, clock }),
    latch: {
      close: latch.close,
      open() {
        // Connections that are kept were made from the address that is not registered, and would go on leaving from there.
        dispatcher.rotate();
        latch.open();
      },
    },
    clock,
    random,
    emit,
  });
}

/** Seconds: the address is looked at about as often while calls are blocked. */
const retryAfter = 15;

function notRegistered(detail: string): Problem {
  return new Problem("egress-not-registered", { detail, retryAfter });
}

interface LifecycleDeps extends SidecarDeps {
  readonly check: EgressCheck;
  readonly health: TokenHealth;
  readonly tokens: TokenSource;
  readonly limiter: Limiter;
  readonly readiness: Readiness;
}

/** The token's life, in a role that issues. */
function composeLifecycle(
  { role, renewal: options, probe }: SidecarOptions,
  deps: LifecycleDeps,
): Lifecycle | undefined {
  const { issuing, tokens, health, check, limiter, clock } = deps;
  if (options === undefined || issuing === undefined) return undefined;
  const whenQuiet = role === "all" ? limiter.whenQuiet : undefined;
  const renewalDeps = composeRenewal(options, probe, {
    ...issuing,
    openPool: deps.openPool,
    consumer: localConsumer({ tokens, health, whenQuiet, clock }),
    health,
    witness: check,
    clock,
    random: deps.random,
    emit(event) {
      // `followAlarm` tells of it, whichever process latched or cleared it.
      if (event.type !== "alarm-changed") deps.emit(event);
    },
  });
  const lifecycle = createLifecycle({
    deps: renewalDeps,
    renewal: createRenewal(renewalDeps),
    current: tokens.record,
    lastRead: tokens.lastRead,
    dueAt: (record) => dueAt(record, options.schedule),
    acceptedSince: health.acceptedSince,
  });
  const refusal = deps.readiness.latch("credentials-refused");
  const credentialsChanged = (): void => {
    refusal.open();
    lifecycle.credentialsChanged();
  };
  const unwatch = issuing.credentials.watch(credentialsChanged);
  return {
    ...lifecycle,
    credentialsChanged,
    close() {
      unwatch();
      lifecycle.close();
    },
  };
}

function firstTokenHint(options: SidecarOptions, { report }: Pick<TokenStore, "report">): string {
  const absence = report?.().absence ?? null;
  const next = firstTokenStep(options);
  if (absence === null) return next;
  // One that ends with a command says all that is to be done.
  return absence.endsWith(".") ? `${absence} ${next}` : absence;
}

function firstTokenStep({ renewal }: SidecarOptions): string {
  if (renewal === undefined) return "Put one in with: presto-sidecar token import";
  return renewal.automatic
    ? "The first one is being issued."
    : "PRESTO_RENEW is manual: have one issued with `presto-sidecar token renew`.";
}
