import type { Clock } from "../clock.ts";
import { within } from "../lib/async.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Issuer } from "../presto/auth.ts";
import { createAsk, createProbe, type ProbeOptions, type ProbeVerdict } from "../presto/probe.ts";
import { createServerTime } from "../presto/server-time.ts";
import { createAccounts } from "../renewal/accounts.ts";
import { createClockAlarm } from "../renewal/clock-alarm.ts";
import { type Found, type RenewalDeps, type TokenConsumer, writeRecord } from "../renewal/run.ts";
import { isDueAt, type Schedule } from "../renewal/schedule.ts";
import type { RenewalEvent, RenewalTimes } from "../renewal/types.ts";
import type { CredentialStore, RenewalLock, TokenRecord, WritableStore } from "../store/contract.ts";
import { isAtHome } from "../store/home.ts";
import type { TokenHealth } from "../token/health.ts";
import type { TokenSource } from "../token/source.ts";
import type { OpenPool, OwnResponse } from "../upstream/request-once.ts";

/** What a renewal is told. Durations are milliseconds. */
export interface RenewalOptions {
  /** False where only a person may have tokens issued. */
  readonly automatic: boolean;
  readonly schedule: Schedule;
  readonly times: RenewalTimes;
  /** What a token is asked for with. */
  readonly tokenName: string;
  readonly tokenDays: number;
}

/** @param begunAt monotonic */
export type OnOwnResponse = (response: OwnResponse, begunAt: number) => void;

/** What issuing takes, beside what every sidecar has. */
export interface IssuingDeps {
  /** The same that the token is read from. */
  readonly store: WritableStore;
  readonly lock: RenewalLock;
  readonly credentials: CredentialStore;
  /** Makes what talks to Presto's auth endpoints, and tells of each response that comes. */
  readonly createIssuer: (onResponse: OnOwnResponse) => Pick<Issuer, "issueToken">;
  /** UUID of this process, new at every start. */
  readonly holder: string;
  readonly newId: () => string;
}

/** Whoever judges the address that we leave from, by the answers to this process's own requests among others. */
export interface OwnRequestWitness {
  /** False while calls are blocked. */
  mayLeave(): boolean;
  readonly ownCallAnswered: OnOwnResponse;
  probed(verdict: ProbeVerdict): void;
}

/** For a command, which tries. */
export const noWitness: OwnRequestWitness = {
  mayLeave: () => true,
  ownCallAnswered() {},
  probed() {},
};

export interface RenewalPartsDeps extends IssuingDeps {
  /** A connection to Presto for one request. */
  readonly openPool: OpenPool;
  readonly consumer: TokenConsumer;
  readonly health: TokenHealth;
  readonly witness: OwnRequestWitness;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: Emit<RenewalEvent | Warning>;
}

/** What a renewal is made of, for a sidecar that runs and for a command alike. */
export function composeRenewal(
  options: RenewalOptions,
  { reference, timeoutMs }: ProbeOptions,
  deps: RenewalPartsDeps,
): RenewalDeps {
  const { automatic, schedule, times } = options;
  const { openPool, witness, consumer, health, clock, random, emit } = deps;
  const time = createServerTime(clock);
  const onAnswer: OnOwnResponse = (response, begunAt) => {
    time.heard(response, begunAt);
    witness.ownCallAnswered(response, begunAt);
  };
  const isDue = (record: TokenRecord | undefined, now: number): boolean =>
    automatic && isDueAt(now, record, schedule);
  const clockAlarm = createClockAlarm({ clock, isDue, prestoAheadMs: time.aheadMs, emit });
  return {
    store: deps.store,
    lock: deps.lock,
    issuer: deps.createIssuer(onAnswer),
    accounts: createAccounts(deps.credentials, { clock, settleMs: times.settleMs }),
    probe: createProbe({
      prestoNow: time.now,
      ask: createAsk({ openPool, reference, timeoutMs, clock, onAnswer }),
      clock,
      evidence: health,
      onBlind: () => emit({ type: "warning", message: blind }),
    }),
    prestoNow: time.now,
    mayLeave: witness.mayLeave,
    consumer: {
      ...consumer,
      probed(token, verdict) {
        witness.probed(verdict);
        consumer.probed(token, verdict);
      },
    },
    clock,
    emit,
    times,
    holder: deps.holder,
    newId: deps.newId,
    random,
    tokenName: options.tokenName,
    tokenDays: options.tokenDays,
    clockAlarm,
    // Without a token there is none to be due too early.
    isDue: (record, now) =>
      isDue(record, now) && (clockAlarm.reason() === undefined || (record?.token ?? null) === null),
    automatic,
  };
}

const blind =
  "Presto looks for the transaction before it looks at the token, so a probe can't tell whether a token lives. Calls of apps can; a process of role rotator has none, and learns of a dead token late.";

/** Longest that a start waits for a write of the record, milliseconds. */
const sealAnewMs = 5_000;

/**
 * A record that was sealed with another than the first key is sealed anew before the process is ready: whoever
 * changes keys waits for that, and then takes the other one away. By compare-and-set alone, for the lock may be held by a
 * process that hangs, and nothing in the record changes. Not beside an intent, whose holder looks at the version before
 * its call. What does not work out now is done by the first look under the lock (R1).
 */
export async function sealRecordAnew(store: WritableStore, found: Found, clock: Clock): Promise<void> {
  if (found?.sealedWithFirstKey !== false || found.record.intent !== null || !isAtHome(found)) return;
  await within(clock, sealAnewMs, writeRecord(store, found.record, found.version));
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
  readonly health: Pick<TokenHealth, "issued">;
  /** Calls `run` once no call is being sent; answers what calls that off. Undefined where calls are sent by other processes only. */
  readonly whenQuiet: ((run: () => void) => () => void) | undefined;
  readonly clock: Clock;
}

/** The token path of this process, as a renewal sees it. */
export function localConsumer({ tokens, health, whenQuiet, clock }: LocalConsumerDeps): TokenConsumer {
  return {
    // What can't be read now is read by the next poll; the failure was told.
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
      health.issued(token.fingerprint());
      tokens.setPending({ token, generation, expiresAt });
    },
    discardPending: (candidate) => tokens.discardPending(candidate),
    probed(token, verdict) {
      if (verdict !== "unclear") tokens.probed(token, verdict);
    },
  };
}
