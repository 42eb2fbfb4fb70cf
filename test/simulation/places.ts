import { isDueAt, type Schedule } from "../../src/renewal/schedule.ts";
import { Secret } from "../../src/secret.ts";
import type { StoredRecord, TokenRecord } from "../../src/store/contract.ts";
import { createSimAddresses, type SimAddresses } from "./addresses.ts";
import { type Callers, type CallersOptions, createCallers } from "./callers.ts";
import { createFaults, type Faults } from "./faults.ts";
import { createKernelLock } from "./kernel-lock.ts";
import { createOperate, type Operate } from "./operate.ts";
import { createPresto, type Presto } from "./presto.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import { createSimApiServer } from "./sim-api-server.ts";
import { createSimCredentials, type SimCredentials } from "./sim-credentials.ts";
import { createIntentLocks, createLeaseLocks, type OnTaken, type SimLocks } from "./sim-locks.ts";
import type { SimProcess } from "./sim-process.ts";
import { endInOrder, type SimSidecar } from "./sim-sidecar.ts";
import { createFileStore, createRemoteStore, type SimStore } from "./sim-store.ts";
import { createSimTokens, type SimTokens } from "./sim-token.ts";
import { createSimVault } from "./sim-vault.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";
import { createWishes, type Wishes } from "./wishes.ts";
import { createWitness, type Witness } from "./witness.ts";

/** Where a site keeps its record, and what is taken to renew it. */
export interface Shared {
  readonly store: SimStore;
  readonly locks: SimLocks;
}

/** All of a world that is not a process. */
export interface Places {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly faults: Faults;
  readonly operate: Operate;
  readonly tokens: SimTokens;
  readonly presto: Presto;
  readonly addresses: SimAddresses;
  readonly store: SimStore;
  readonly locks: SimLocks;
  /** The same of another site. */
  readonly clone: Shared | undefined;
  readonly credentials: SimCredentials;
  readonly witness: Witness;
  readonly wishes: Wishes;
  readonly callers: Callers;
}

export interface PlacesOptions extends Pick<CallersOptions, "onEnd" | "onError"> {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  /** The sidecars that live at this moment. */
  readonly alive: ReadonlyMap<SimProcess, SimSidecar>;
}

const dayMs = 24 * 3_600_000;

/** By its own clock, and by the window where that is asked for. */
function isDueBy(
  { process, renewal }: Pick<SimSidecar, "process" | "renewal">,
  record: TokenRecord | undefined,
  window: Schedule["window"],
): boolean {
  if (renewal === undefined || !renewal.automatic) return false;
  return isDueAt(process.clock.now(), record, { ...renewal.schedule, window });
}

/** In its last 24 h a token is replaced where no probe tells whether it works. Between the look at the window and the call time passes. */
function isCalledFor(
  sidecar: SimSidecar | undefined,
  record: TokenRecord | undefined,
  presto: Pick<Presto, "timeAsKnownTo">,
): boolean {
  if (sidecar === undefined) return false;
  const endsAt = record?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return isDueBy(sidecar, record, undefined) || endsAt - presto.timeAsKnownTo(sidecar.process) <= dayMs;
}

/** What stands at another site is another's: nothing is written there until a person forces it. */
function cloneWrote(process: SimProcess): void {
  throw new Violation("home", `${process.name} writes to a record that was written for another site`);
}

/** Store and lock, which are away together where one server keeps both. */
function createShared(
  { topology, times }: Scenario,
  options: Parameters<typeof createRemoteStore>[0],
  onTaken: OnTaken,
): Shared {
  const random = options.random.fork();
  switch (topology) {
    case "file":
      return { store: createFileStore(options), locks: createKernelLock({ ...options, onTaken }) };
    case "kubernetes": {
      const { store, place } = createRemoteStore(options, createSimApiServer);
      return { store, locks: createLeaseLocks({ ...options, random, onTaken }, place) };
    }
    case "vault": {
      const { store } = createRemoteStore(options, createSimVault);
      const { leaseMs } = times;
      return { store, locks: createIntentLocks({ ...options, random, onTaken, leaseMs }, store) };
    }
  }
}

export function createPlaces(options: PlacesOptions): Places {
  const { scenario, timeline, random, story, alive } = options;
  const tokens = createSimTokens();
  const passwords = { current: new Secret("current password"), pending: new Secret("pending password") };
  const stateOf = (process: SimProcess): string => alive.get(process)?.lifecycle?.report().state ?? "gone";

  const faults = createFaults({
    scenario,
    timeline,
    random: random.fork(),
    story,
    termLeft: (process) => locks.termLeft(process),
    isAboutToIssue: (process) => /^(checking|issuing)$/.test(stateOf(process)),
    restart(process) {
      witness.isEnding(process);
      wishes.isEnding(process);
      const sidecar = alive.get(process);
      if (sidecar === undefined) process.kill("it was asked to end");
      else endInOrder(sidecar);
    },
  });
  const operate = createOperate({ timeline, faults, random: random.fork() });
  const presto = createPresto({
    timeline,
    random: random.fork(),
    story,
    tokens,
    epoch: scenario.epoch,
    lagMs: scenario.lagMs,
    password: scenario.pendingPassword === "works" ? passwords.pending : passwords.current,
  });
  const addresses = createSimAddresses({ timeline, random: random.fork(), story });
  const storeOptions = {
    timeline,
    random: random.fork(),
    story,
    operate,
    site: "main",
    epoch: scenario.epoch,
    lostNotices: scenario.lostNotices,
    onWrite(process: SimProcess, before: StoredRecord | undefined, after: StoredRecord) {
      witness.wrote(process, before, after);
      wishes.stored(after.record.token);
    },
  };
  const onTaken = (process: SimProcess): void => witness.tookLock(process);
  const { store, locks } = createShared(scenario, storeOptions, onTaken);
  const clone =
    scenario.kind === "clone"
      ? createShared(scenario, { ...storeOptions, site: "clone", onWrite: cloneWrote }, () => {})
      : undefined;
  const credentials = createSimCredentials({
    operate,
    story,
    first: {
      email: new Secret("someone@example.com"),
      password: passwords.current,
      pending: scenario.pendingPassword === "none" ? null : passwords.pending,
    },
    onWrite: () => witness.checkPassword(),
  });
  const witness = createWitness({
    scenario,
    timeline,
    story,
    presto,
    tokens,
    faults,
    addresses,
    stored: store.current,
    isElsewhere: store.isElsewhere,
    credentials: credentials.current,
    isCalledFor: (process, record) => isCalledFor(alive.get(process), record, presto),
    isDue(process) {
      const sidecar = alive.get(process);
      const record = store.current()?.record;
      return sidecar !== undefined && record?.token !== null && isDueBy(sidecar, record, scenario.window);
    },
    inHand: (process) => alive.get(process)?.tokens.record()?.token?.fingerprint(),
    stateOf,
    lockHolder: () => locks.holder(),
    termLeft: (process) => locks.termLeft(process),
    issuers: () =>
      [...alive].flatMap(([process, { lifecycle }]) => (lifecycle === undefined ? [] : [process])),
  });
  const { onEnd, onError } = options;
  const wishes = createWishes({ timeline, story, onError });
  const callers = createCallers({ scenario, timeline, random: random.fork(), story, onEnd, onError });
  return {
    scenario,
    timeline,
    random,
    story,
    faults,
    operate,
    tokens,
    presto,
    addresses,
    store,
    locks,
    clone,
    credentials,
    witness,
    wishes,
    callers,
  };
}
