import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import type { Connector } from "../connect/connector.ts";
import { Failure } from "../errors.ts";
import { random } from "../lib/backoff.ts";
import type { Origin } from "../lib/host.ts";
import type { Signals } from "../observe/events.ts";
import { createIssuer } from "../presto/auth.ts";
import { createAsk, createProbe, type ProbeVerdict } from "../presto/probe.ts";
import type { CredentialStore, TokenRecord, TokenStore } from "../store/contract.ts";
import { type LockedPlace, openCredentials, openRenewalLock } from "../store/open.ts";
import type { Evidence } from "../token/health.ts";
import { createPool } from "../upstream/pool.ts";
import type { WholeAnswer } from "../upstream/request-once.ts";
import { createAccounts } from "./accounts.ts";
import type { RenewalParts, TokenUsers } from "./run.ts";
import { dueAt, isDueAt } from "./schedule.ts";
import { defaultTimes, type IssuingOptions } from "./types.ts";

export interface RenewalSurroundings {
  readonly origin: Origin;
  /** The proxy's: the same source address, the same trust. */
  readonly connector: Connector;
  /** Milliseconds for one probe. */
  readonly timeoutMs: number;
  readonly store: TokenStore;
  readonly place: LockedPlace;
  readonly issuing: IssuingOptions;
  readonly probeReference: string;
  readonly users: TokenUsers;
  readonly evidence: Evidence;
  /** What is known of the way out; undefined for a command, which tries. */
  readonly egressCheck: OwnCallWitness | undefined;
  readonly clock: Clock;
  readonly signals: Signals;
}

/** Whoever judges the way out, by the answers to this process's own calls among others. */
export interface OwnCallWitness {
  /** False while calls must be kept back. */
  mayLeave(): boolean;
  /** @param sentAt monotonic time of its sending, or before */
  ownCallAnswered(answer: WholeAnswer, sentAt: number): void;
  probed(verdict: ProbeVerdict): void;
}

export interface ComposedRenewal {
  readonly parts: RenewalParts;
  readonly credentials: CredentialStore;
  /** When a record is to be renewed; null if that is not known. */
  readonly dueAt: (record: TokenRecord | undefined) => Date | null;
}

/**
 * What issuing is made of, for a sidecar that runs and for a command alike.
 * @throws Failure `refused` for a store that can't be written
 */
export async function composeRenewal(options: RenewalSurroundings): Promise<ComposedRenewal> {
  const { origin, connector, timeoutMs, store, issuing, evidence, clock, signals } = options;
  const lock = openRenewalLock(options.place, { clock });
  const { write } = store;
  if (write === undefined)
    throw new Failure("refused", "This store can't be written, so no token can be issued.");
  const credentials = await openCredentials(issuing.credentials, { clock });
  const openPool = () => createPool({ origin, connector, connections: 1, timeoutMs });
  const check = options.egressCheck;
  const told = check === undefined ? {} : { onAnswer: check.ownCallAnswered };
  const schedule = { renewAt: issuing.renewAt, window: issuing.window, jitter: random() };
  const parts: RenewalParts = {
    store: { read: () => store.read(), write: (record, expected) => write(record, expected) },
    lock,
    issuer: createIssuer({ openPool, clock, ...told }),
    accounts: createAccounts(credentials, { clock, settleMs: issuing.settleMs }),
    probe: createProbe({
      ask: createAsk({ openPool, reference: options.probeReference, timeoutMs, clock, ...told }),
      clock,
      evidence,
      onBlind: () =>
        signals.warned(
          "Presto looks for the transaction before it looks at the token, so a probe can't tell whether a token lives. Calls of apps can; a process of role rotator has none, and learns of a dead token late.",
        ),
    }),
    mayLeave: () => check?.mayLeave() ?? true,
    users: {
      ...options.users,
      probed(token, verdict) {
        check?.probed(verdict);
        options.users.probed(token, verdict);
      },
    },
    clock,
    signals,
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
