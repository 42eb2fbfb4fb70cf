import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import type { ConnectEvent, Connector } from "../connect/connector.ts";
import { type EgressOptions, openEgress } from "../connect/open.ts";
import { CommandError } from "../errors.ts";
import { random } from "../lib/backoff.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import { createIssuer } from "../presto/auth.ts";
import { createAsk, createProbe, type ProbeVerdict } from "../presto/probe.ts";
import { createAccounts } from "../renewal/accounts.ts";
import type { RenewalEvent } from "../renewal/events.ts";
import { createLifecycle, type Lifecycle } from "../renewal/lifecycle.ts";
import { createRenewal } from "../renewal/machine.ts";
import { type RenewalDeps, storedId, type TokenConsumer } from "../renewal/run.ts";
import { dueAt, isDueAt } from "../renewal/schedule.ts";
import { defaultTimes, type IssuingOptions, type RenewalEnd } from "../renewal/types.ts";
import {
  type CredentialStore,
  type StoredCredentials,
  StoreError,
  type TokenRecord,
  type TokenStore,
} from "../store/contract.ts";
import { openCredentials, openRenewalLock, openStore, type StoreOptions } from "../store/open.ts";
import { createTokenHealth, type TokenHealth } from "../token/health.ts";
import type { TokenSource } from "../token/source.ts";
import { createPoolOpener } from "../upstream/pool.ts";
import type { OwnResponse } from "../upstream/request-once.ts";

export interface RenewalSurroundings {
  readonly origin: Origin;
  /** The proxy's: the same source address, the same trust. */
  readonly connector: Connector;
  /** Milliseconds for one probe. */
  readonly timeoutMs: number;
  readonly store: TokenStore;
  readonly issuing: IssuingOptions;
  readonly probeReference: string;
  readonly users: TokenConsumer;
  readonly evidence: TokenHealth;
  /** What is known of the way out; undefined for a command, which tries. */
  readonly egressCheck: OwnCallWitness | undefined;
  readonly clock: Clock;
  readonly emit: Emit<RenewalEvent | Warning>;
}

/** Whoever judges the way out, by the answers to this process's own calls among others. */
export interface OwnCallWitness {
  /** False while calls must be kept back. */
  mayLeave(): boolean;
  /** @param sentAt monotonic time of its sending, or before */
  ownCallAnswered(answer: OwnResponse, sentAt: number): void;
  probed(verdict: ProbeVerdict): void;
}

export interface ComposedRenewal {
  readonly parts: RenewalDeps;
  readonly credentials: CredentialStore;
  /** When a record is to be renewed; null if that is not known. */
  readonly dueAt: (record: TokenRecord | undefined) => Date | null;
}

/**
 * What issuing is made of, for a sidecar that runs and for a command alike.
 * @throws CommandError `refused` for a store that can't be written
 */
export async function composeRenewal(options: RenewalSurroundings): Promise<ComposedRenewal> {
  const { origin, connector, timeoutMs, store, issuing, evidence, clock, emit } = options;
  const lock = openRenewalLock(store);
  const { write } = store;
  if (write === undefined)
    throw new CommandError("refused", "This store can't be written, so no token can be issued.");
  const credentials = await openCredentials(issuing.credentials, { clock });
  const openPool = createPoolOpener({ origin, connector, timeoutMs });
  const check = options.egressCheck;
  const told = check === undefined ? {} : { onAnswer: check.ownCallAnswered };
  const schedule = { renewAt: issuing.renewAt, window: issuing.window, jitter: random() };
  const parts: RenewalDeps = {
    store: { read: () => store.read(), write: (record, expected) => write(record, expected) },
    lock,
    issuer: createIssuer({ openPool, clock, ...told }),
    accounts: createAccounts(credentials, { clock, settleMs: issuing.settleMs }),
    probe: createProbe({
      ask: createAsk({ openPool, reference: options.probeReference, timeoutMs, clock, ...told }),
      clock,
      evidence,
      onBlind: () =>
        emit({
          type: "warning",
          message:
            "Presto looks for the transaction before it looks at the token, so a probe can't tell whether a token lives. Calls of apps can; a process of role rotator has none, and learns of a dead token late.",
        }),
    }),
    mayLeave: () => check?.mayLeave() ?? true,
    consumer: {
      ...options.users,
      probed(token, verdict) {
        check?.probed(verdict);
        options.users.probed(token, verdict);
      },
    },
    clock,
    emit,
    times: { ...defaultTimes, settleMs: issuing.settleMs, probeEveryMs: issuing.probeEveryMs },
    holder: randomUUID(),
    newId: randomUUID,
    random,
    tokenName: issuing.tokenName,
    tokenDays: issuing.tokenDays,
    isDue: (record) => issuing.automatic && isDueAt(clock.now(), record, schedule),
    automatic: issuing.automatic,
  };
  return { parts, credentials, dueAt: (record) => dueAt(record, schedule) };
}

export interface LifecycleSurroundings extends RenewalSurroundings {
  /** The record in hand, as the store was last read. */
  readonly current: () => TokenRecord | undefined;
}

/**
 * The token's life, for a sidecar that runs: over the real lock, issuer and credentials.
 * @throws CommandError `refused` for a store that can't be written, `configuration` for credentials that are there and can't be read
 */
export async function openLifecycle(options: LifecycleSurroundings): Promise<Lifecycle> {
  const { parts, credentials, dueAt } = await composeRenewal(options);
  const stored = await credentials.read().catch(unlessNotYet);
  if (stored?.sealedWithFirstKey === false) await sealAnew(credentials, stored, options.emit);
  const lifecycle = createLifecycle({
    parts,
    renewal: createRenewal(parts),
    current: options.current,
    dueAt,
    acceptedSince: options.evidence.acceptedSince,
  });
  const unwatch = credentials.watch(lifecycle.credentialsChanged);
  return {
    ...lifecycle,
    close() {
      unwatch();
      lifecycle.close();
      credentials.close();
    },
  };
}

/** What can't be written now can still be read: the next start tries again. */
async function sealAnew(
  credentials: CredentialStore,
  stored: StoredCredentials,
  emit: Emit<Warning>,
): Promise<void> {
  try {
    await credentials.write?.(stored.credentials, stored.version);
  } catch (cause) {
    emit({
      type: "warning",
      message: "The credentials could not be sealed with the first store key; the other one is still needed.",
      cause,
    });
  }
}

/** A file that is not there yet comes later; one that is there and can't be read is a mistake that only a person can mend. */
function unlessNotYet(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error;
  if (error.code !== "not-yet") throw new CommandError("configuration", error.message, error);
}

export interface CommandRenewalOptions extends EgressOptions {
  readonly timeoutMs: number;
  readonly store: StoreOptions;
  readonly issuing: IssuingOptions;
  readonly probeReference: string;
}

/**
 * What a command needs to have a token issued; whoever uses tokens is in other processes, and
 * gets GRACE to hear of the intent.
 * @throws CommandError `refused` for a store that can't be written
 */
export async function openRenewal(
  options: CommandRenewalOptions,
  { clock, emit }: { readonly clock: Clock; readonly emit: Emit<ConnectEvent | RenewalEvent | Warning> },
): Promise<{ readonly parts: RenewalDeps; close(): Promise<void> }> {
  const egress = await openEgress(options, { clock, emit });
  const store = await openStore(options.store, { clock });
  const { parts, credentials } = await composeRenewal({
    ...options,
    connector: egress.connector,
    store,
    users: remoteConsumer(clock),
    evidence: createTokenHealth(clock),
    egressCheck: undefined,
    clock,
    emit,
  });
  return {
    parts,
    async close() {
      credentials.close();
      store.close();
      egress.close();
    },
  };
}

/** Nobody in this process uses the token. */
export function remoteConsumer(clock: Clock): TokenConsumer {
  return {
    noticeRecord: async () => {},
    quiet: (maxMs) => clock.sleep(maxMs),
    setPending() {},
    discardPending() {},
    probed() {},
  };
}

export interface LocalConsumerDeps {
  readonly tokens: Pick<TokenSource, "refresh" | "setPending" | "discardPending" | "probed">;
  readonly evidence: Pick<TokenHealth, "issued">;
  /** Calls `run` once no call is being sent; answers what calls that off. Undefined where calls are sent by other processes only. */
  readonly whenQuiet: ((run: () => void) => () => void) | undefined;
  readonly clock: Clock;
}

/** The token path of this process, as a renewal sees it. */
export function localConsumer({ tokens, evidence, whenQuiet, clock }: LocalConsumerDeps): TokenConsumer {
  return {
    // What can't be read now is read by the next poll; the failure was signalled.
    noticeRecord: () => tokens.refresh().catch(() => {}),
    quiet(maxMs) {
      if (whenQuiet === undefined) return clock.sleep(maxMs);
      return new Promise((resolve) => {
        const timer = clock.after(maxMs, () => {
          callOff();
          resolve();
        });
        const callOff = whenQuiet(() => {
          timer.cancel();
          resolve();
        });
      });
    },
    setPending({ token, expiresAt }, generation) {
      evidence.issued(token.fingerprint());
      tokens.setPending({ token, generation, expiresAt });
    },
    discardPending: (candidate) => tokens.discardPending(candidate),
    probed(token, verdict) {
      if (verdict !== "unclear") tokens.probed(token, verdict);
    },
  };
}

export interface OnceOptions {
  /** Clears the alarm first. */
  readonly force: boolean;
  /** Milliseconds to wait for the lock. */
  readonly lockWaitMs: number;
  /** Begins nothing new; what was sent is seen to its end, or left where the next process takes it up. */
  readonly signal: AbortSignal;
}

/** How long what was begun may take after the signal, milliseconds. */
const finishMs = 25_000;

/**
 * One renewal for a person at a command line: takes the lock, runs the protocol once, gives it back.
 * @throws CommandError of the lock: `try-again` names its holder; StoreError where the record can't be read
 */
export async function renewOnce(parts: RenewalDeps, options: OnceOptions): Promise<RenewalEnd> {
  const { force, lockWaitMs, signal } = options;
  const closing = new AbortController();
  // Whatever still waits then (a late answer, a store that is away) is waited for a while, and no longer.
  signal.addEventListener("abort", () => parts.clock.after(finishMs, () => closing.abort()), { once: true });
  const beyond = storedId(await parts.store.read());
  return createRenewal(parts).run({
    occasion: { request: { beyond, force }, rejected: new Set() },
    lockWaitMs,
    draining: signal,
    closing: closing.signal,
  });
}
