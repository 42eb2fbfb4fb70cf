import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import type { ConnectEvent } from "../connect/connector.ts";
import { type EgressOptions, openEgress } from "../connect/open.ts";
import { CommandError } from "../errors.ts";
import { random } from "../lib/async.ts";
import type { Emit, Warning } from "../lib/events.ts";
import { createIssuer } from "../presto/auth.ts";
import type { ProbeOptions } from "../presto/probe.ts";
import { createRenewal } from "../renewal/machine.ts";
import { type RenewalDeps, storedId } from "../renewal/run.ts";
import { defaultTimes, type IssuingOptions, type RenewalEnd, type RenewalEvent } from "../renewal/types.ts";
import {
  type CredentialStore,
  isOwnFault,
  type StoredCredentials,
  StoreError,
  type TokenStore,
} from "../store/contract.ts";
import { type CredentialOptions, openCredentials, openStore, type StoreOptions } from "../store/open.ts";
import { openRenewalLock } from "../store/renewal-lock.ts";
import { createTokenHealth } from "../token/health.ts";
import { createPoolOpener } from "../upstream/connections.ts";
import type { OpenPool } from "../upstream/request-once.ts";
import {
  composeRenewal,
  type IssuingDeps,
  noWitness,
  remoteConsumer,
  type RenewalOptions,
} from "./renewal.ts";

/** What a renewal is told, by what is configured. */
export function renewalOptions(issuing: IssuingOptions): RenewalOptions {
  const { automatic, renewAt, window, settleMs, probeEveryMs, tokenName, tokenDays } = issuing;
  return {
    automatic,
    schedule: { renewAt, window, jitter: random() },
    times: { ...defaultTimes, settleMs, probeEveryMs },
    tokenName,
    tokenDays,
  };
}

export interface IssuingOpening {
  readonly store: TokenStore;
  /** How it was opened. */
  readonly storeOptions: StoreOptions;
  readonly openPool: OpenPool;
  readonly clock: Clock;
}

/** With connections of its own. */
export interface OpenIssuing extends IssuingDeps {
  close(): void;
}

/**
 * What issuing takes, over the real places. Reads nothing yet.
 * @throws CommandError `refused` for a store that can't be written
 */
export async function openIssuing(options: CredentialOptions, deps: IssuingOpening): Promise<OpenIssuing> {
  const { store, storeOptions, openPool, clock } = deps;
  const holder = randomUUID();
  const lock = await openRenewalLock({ store, use: "renewal", options: storeOptions, clock, holder });
  const { write } = store;
  if (write === undefined)
    throw new CommandError("refused", "This store can't be written, so no token can be issued.");
  const credentials = await openCredentials(options, { clock });
  return {
    store: { read: () => store.read(), write: (record, expected) => write(record, expected) },
    lock,
    credentials,
    createIssuer: (onAnswer) => createIssuer({ openPool, clock, onAnswer }),
    holder,
    newId: randomUUID,
    close() {
      credentials.close();
      lock.close();
    },
  };
}

/**
 * Makes sure that the credentials can be read, if they are there, and seals them with the first key.
 * @throws CommandError `configuration` for some that are there and can't be read
 */
export async function readCredentials(
  credentials: CredentialStore,
  options: CredentialOptions,
  emit: Emit<Warning>,
): Promise<void> {
  const isRemote = "isRemote" in options && options.isRemote;
  const stored = await credentials.read().catch((error: unknown) => unlessPassing(error, isRemote));
  if (stored?.sealedWithFirstKey === false) await sealAnew(credentials, stored, emit);
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

/** What is not there yet, or away, comes later; a mistake on this side only a person here can mend. */
function unlessPassing(error: unknown, isRemote: boolean): undefined {
  if (!(error instanceof StoreError)) throw error;
  if (isOwnFault(error, isRemote)) throw new CommandError("configuration", error.message, error);
}

export interface CommandRenewalOptions extends EgressOptions {
  readonly timeoutMs: number;
  readonly store: StoreOptions;
  readonly issuing: IssuingOptions;
  readonly probe: ProbeOptions;
}

/**
 * What a command needs to have a token issued; whoever uses tokens is in other processes, and
 * gets GRACE to hear of the intent.
 * @throws CommandError `refused` for a store that can't be written
 */
export async function openRenewal(
  options: CommandRenewalOptions,
  { clock, emit }: { readonly clock: Clock; readonly emit: Emit<ConnectEvent | RenewalEvent | Warning> },
): Promise<{ readonly deps: RenewalDeps; close(): Promise<void> }> {
  const { origin, timeoutMs, issuing } = options;
  const egress = await openEgress(options, { clock, emit });
  const store = await openStore(options.store, { clock });
  const openPool = createPoolOpener({ origin, connector: egress.connector, timeoutMs, clock });
  const opened = await openIssuing(issuing.credentials, {
    store,
    storeOptions: options.store,
    openPool,
    clock,
  });
  const deps = composeRenewal(renewalOptions(issuing), options.probe, {
    ...opened,
    openPool,
    consumer: remoteConsumer(clock),
    health: createTokenHealth(clock),
    witness: noWitness,
    clock,
    random,
    emit,
  });
  return {
    deps,
    async close() {
      await Promise.all([opened.credentials.logOut?.(), store.logOut?.()]);
      opened.close();
      store.close();
      egress.close();
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
export async function renewOnce(deps: RenewalDeps, options: OnceOptions): Promise<RenewalEnd> {
  const { force, lockWaitMs, signal } = options;
  const closing = new AbortController();
  // Whatever still waits then (a late answer, a store that is away) is waited for a while, and no longer.
  signal.addEventListener("abort", () => deps.clock.after(finishMs, () => closing.abort()), { once: true });
  const before = storedId(await deps.store.read());
  const replaces = (id: string | undefined): boolean => id === undefined || id === before;
  const end = await createRenewal(deps).run({
    trigger: { request: { replaces, force }, rejected: new Set() },
    lockWaitMs,
    draining: signal,
    closing: closing.signal,
  });
  if (end.kind !== "nothing-to-do") return end;
  // Another process had the same wish, and was first: its token is as new as ours would be.
  const record = (await deps.store.read().catch(() => undefined))?.record;
  const tokenId = record?.token?.fingerprint();
  if (record === undefined || tokenId === undefined || replaces(tokenId)) return end;
  return { kind: "renewed", tokenId, generation: record.generation, expiresAt: record.expiresAt };
}
