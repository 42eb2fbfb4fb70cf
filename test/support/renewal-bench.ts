import type { Emit, Warning } from "../../src/lib/events.ts";
import { createAccounts } from "../../src/renewal/accounts.ts";
import { createClockAlarm } from "../../src/renewal/clock-alarm.ts";
import { createRenewal, type Renewal } from "../../src/renewal/machine.ts";
import type { RememberedToken } from "../../src/renewal/remembering.ts";
import { emptyMemory, type RenewalDeps, type RenewalRun, type Trigger } from "../../src/renewal/run.ts";
import {
  defaultTimes,
  type RenewalEnd,
  type RenewalEvent,
  type RenewalState,
} from "../../src/renewal/types.ts";
import { Secret } from "../../src/secret.ts";
import type { AcquireOptions, HeldLock, RenewalLock, TokenRecord } from "../../src/store/contract.ts";
import { createIntentLock } from "../../src/store/intent-lock.ts";
import { createHandClock, type HandClock } from "./hand-clock.ts";
import { createMemoryCredentials, type MemoryCredentials } from "./memory-credentials.ts";
import { createScriptedPresto, type ScriptedPresto } from "./scripted-presto.ts";
import { createScriptedStore, type ScriptedStore } from "./scripted-store.ts";

export const dayMs = 24 * 60 * 60 * 1000;

export interface BenchOptions {
  /** What the store holds at first, over a token of 10 days with 80 to come; null: nothing. */
  readonly stored?: Partial<TokenRecord> | null;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic?: boolean;
  /** UUID of this process. */
  readonly holder?: string;
  /** The lock is the record's own intent, and not one that a test takes away. */
  readonly lockIsIntent?: true;
  /** Another process, over the same store and Presto. */
  readonly beside?: Pick<RenewalBench, "clock" | "store" | "presto">;
}

/** What a test may turn at any time. */
export interface BenchKnobs {
  /** Is a stored token due by the clock? Without a token one is, always. */
  due: boolean;
  mayLeave: boolean;
  /** Monotonic time until which the lock is sure to be held. */
  heldUntil: number;
  /** What taking a new term of the lock says. */
  lockRenewal: "ours" | "lost" | "unclear";
  /** The lock is held by another until this settles. */
  lockFree: Promise<void> | undefined;
  /** Who holds it, as whoever waits is told. */
  lockHolder: Parameters<NonNullable<AcquireOptions["onHeld"]>> | undefined;
  /** When the calls that use the token are over. */
  quiet: Promise<void> | undefined;
  /** From 0 to 1. */
  random: number;
  /** How far Presto's clock is ahead of this host's. */
  prestoAheadMs: number;
}

/** A renewal over scripted parts and a clock moved by hand. Everything that is done stands in `trail`, in order. */
export interface RenewalBench {
  readonly clock: HandClock;
  readonly store: ScriptedStore;
  readonly presto: ScriptedPresto;
  readonly credentials: MemoryCredentials;
  readonly knobs: BenchKnobs;
  readonly deps: RenewalDeps;
  readonly renewal: Renewal;
  /** What the runs remember. */
  readonly remembered: RememberedToken;
  readonly draining: AbortController;
  readonly closing: AbortController;
  readonly trail: string[];
  readonly moves: RenewalState[];
  /** The other events, with what tells them apart. */
  readonly told: string[];
  /** What one state begins with; the lock is held, and what is remembered is the same each time. */
  at(trigger?: Partial<Trigger>): Promise<RenewalRun>;
  /** Goes through the states from R1 on. */
  begin(trigger?: Partial<Trigger>): Followed<RenewalEnd>;
}

/** A promise that a test looks at without waiting for it. */
export interface Followed<T> {
  /** Undefined while it is pending. */
  readonly now: T | undefined;
  readonly promise: Promise<T>;
}

export function follow<T>(promise: Promise<T>): Followed<T> {
  let value: T | undefined;
  promise.then(
    (settled) => {
      value = settled;
    },
    // Whoever awaits the promise hears of it.
    () => {},
  );
  return {
    get now() {
      return value;
    },
    promise,
  };
}

export function createRenewalBench(options: BenchOptions = {}): RenewalBench {
  const trail: string[] = [];
  const moves: RenewalState[] = [];
  const told: string[] = [];
  const { holder = "this-process", beside } = options;
  const clock = beside?.clock ?? createHandClock();
  const store = beside?.store ?? createScriptedStore(trail);
  const presto = beside?.presto ?? createScriptedPresto(trail);
  const credentials = createMemoryCredentials();
  credentials.put({ password: "current" });
  if (options.stored !== null && beside === undefined)
    store.put({ ...storedAt(clock.now()), ...options.stored });
  const knobs: BenchKnobs = {
    due: false,
    mayLeave: true,
    heldUntil: Number.POSITIVE_INFINITY,
    lockRenewal: "ours",
    lockFree: undefined,
    lockHolder: undefined,
    quiet: undefined,
    random: 1,
    prestoAheadMs: 0,
  };
  let ids = 0;

  const held: HeldLock = {
    identity: "scripted lock",
    heldUntil: () => knobs.heldUntil,
    async renew() {
      trail.push("lock again");
      if (knobs.lockRenewal === "unclear") throw new Error("the lock did not answer");
      return knobs.lockRenewal === "ours";
    },
    async release() {
      trail.push("unlock");
    },
  };
  const scriptedLock: RenewalLock = {
    name: "scripted lock",
    async acquire({ signal, onHeld }) {
      if (knobs.lockHolder !== undefined) onHeld?.(...knobs.lockHolder);
      if (signal === undefined) await knobs.lockFree;
      else await Promise.race([knobs.lockFree, aborted(signal)]);
      trail.push("lock");
      return held;
    },
  };
  const lock =
    options.lockIsIntent === true
      ? createIntentLock({
          store,
          holder: { id: holder, identity: `host of ${holder}` },
          leaseMs: defaultTimes.leaseMs,
          clock,
          random: () => knobs.random,
        })
      : scriptedLock;
  const isDue = (record: TokenRecord | undefined): boolean =>
    (options.automatic ?? true) && (record === undefined || record.token === null || knobs.due);
  const emit = recordEvents(moves, told);
  const clockAlarm = createClockAlarm({ clock, isDue, prestoAheadMs: () => undefined, emit });
  const deps: RenewalDeps = {
    store,
    lock,
    issuer: presto.issuer,
    accounts: createAccounts(credentials, { clock, settleMs: defaultTimes.settleMs }),
    probe: presto.probe,
    prestoNow: () => clock.now() + knobs.prestoAheadMs,
    clockAlarm,
    mayLeave: () => knobs.mayLeave,
    consumer: {
      async noticeRecord() {
        trail.push("notice");
      },
      async quiet(maxMs) {
        trail.push(`quiet ${maxMs}`);
        await knobs.quiet;
      },
      setPending: ({ token }, generation) => void trail.push(`serve ${token.reveal()} as ${generation}`),
      discardPending: ({ token }) => void trail.push(`withdraw ${token.reveal()}`),
      probed: (token, verdict) => void told.push(`probed ${token.reveal()} ${verdict}`),
    },
    clock,
    emit,
    times: defaultTimes,
    holder,
    newId: () => `${beside === undefined ? "" : `${holder}-`}id-${(ids += 1)}`,
    random: () => knobs.random,
    tokenName: "tests",
    tokenDays: 90,
    isDue: (record) =>
      isDue(record) && (clockAlarm.reason() === undefined || (record?.token ?? null) === null),
    automatic: options.automatic ?? true,
  };
  const renewal = createRenewal(deps);
  const memory = { ...emptyMemory(), remembered: renewal.remembered };
  const draining = new AbortController();
  const closing = new AbortController();
  const occasionOf = (differences: Partial<Trigger> = {}): Trigger => ({
    request: undefined,
    rejected: new Set<string>(),
    ...differences,
  });

  return {
    clock,
    store,
    presto,
    credentials,
    knobs,
    deps,
    renewal,
    remembered: renewal.remembered,
    draining,
    closing,
    trail,
    moves,
    told,
    async at(trigger) {
      return {
        deps,
        held: lock === scriptedLock ? held : await lock.acquire({ waitMs: 0 }),
        trigger: occasionOf(trigger),
        memory,
        draining: draining.signal,
        closing: closing.signal,
      };
    },
    begin: (trigger) =>
      follow(
        renewal.run({
          trigger: occasionOf(trigger),
          lockWaitMs: options.lockIsIntent === true ? Number.POSITIVE_INFINITY : 0,
          draining: draining.signal,
          closing: closing.signal,
        }),
      ),
  };
}

function storedAt(now: number): Partial<TokenRecord> {
  return {
    token: new Secret("token-1"),
    generation: 1,
    name: "tests",
    issuedAt: new Date(now - 10 * dayMs),
    expiresAt: new Date(now + 80 * dayMs),
  };
}

function recordEvents(moves: RenewalState[], told: string[]): Emit<RenewalEvent | Warning> {
  return (event) => {
    switch (event.type) {
      case "renewal-moved":
        moves.push(event.to);
        break;
      case "issue-ended":
        told.push(`issue ${event.end}`);
        break;
      case "renewal-ended":
        told.push(`run ${event.end.kind}`);
        break;
      case "unexplained-death":
        told.push(`death ${event.count}`);
        break;
      case "clock-alarm-changed":
        told.push(event.reason === undefined ? "clock mended" : "clock wrong");
        break;
      case "record-put-back":
        told.push(`put back as ${event.generation}${event.wasGone ? ", it was gone" : ""}`);
        break;
      case "elsewhere-changed":
        told.push(event.reason === undefined ? "at home" : "elsewhere");
        break;
      case "alarm-changed":
        told.push(event.alarm === undefined ? "alarm cleared" : "alarm latched");
        break;
      case "warning":
        told.push(event.message);
        break;
      default:
    }
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
