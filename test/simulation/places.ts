import { isDueAt } from "../../src/renewal/schedule.ts";
import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import { createSimAddresses, type SimAddresses } from "./addresses.ts";
import { type Callers, type CallersOptions, createCallers } from "./callers.ts";
import { endInOrder } from "./endings.ts";
import { createFaults, type Faults } from "./faults.ts";
import { createKernelLock } from "./kernel-lock.ts";
import { createLease } from "./lease.ts";
import { createOperate, type Operate } from "./operate.ts";
import { createPresto, type Presto } from "./presto.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import { createSimCredentials, type SimCredentials } from "./sim-credentials.ts";
import type { SimLocks } from "./sim-locks.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimSidecar } from "./sim-sidecar.ts";
import { createSimStore, type SimStore } from "./sim-store.ts";
import { createSimTokens, type SimTokens } from "./sim-token.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";
import { createWitness, type Witness } from "./witness.ts";

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
  readonly credentials: SimCredentials;
  readonly witness: Witness;
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

/** By its own clock. In its last 24 h a token is replaced where no probe tells whether it works. */
function isCalledFor(sidecar: SimSidecar | undefined, record: TokenRecord | undefined): boolean {
  const { process, renewal } = sidecar ?? {};
  if (process === undefined || renewal === undefined) return false;
  const now = process.clock.now();
  const endsAt = record?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return (renewal.automatic && isDueAt(now, record, renewal.schedule)) || endsAt - now <= dayMs;
}

export function createPlaces(options: PlacesOptions): Places {
  const { scenario, timeline, random, story, alive } = options;
  const isFile = scenario.topology === "file";
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
  const store = createSimStore({
    timeline,
    random: random.fork(),
    story,
    operate,
    lostNotices: scenario.lostNotices,
    isLocal: isFile,
    onWrite: (process, before, after) => witness.wrote(process, before, after),
  });
  const onTaken = (process: SimProcess): void => witness.tookLock(process);
  const locks: SimLocks = isFile
    ? createKernelLock({ operate, story, onTaken })
    : createLease({
        timeline,
        random: random.fork(),
        operate,
        story,
        leaseMs: scenario.times.leaseMs,
        isKept: scenario.keepsLease,
        isDown: store.isDown,
        onTaken,
      });
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
    credentials: credentials.current,
    isCalledFor: (process) => isCalledFor(alive.get(process), store.current()?.record),
    stateOf,
    lockHolder: () => locks.holder(),
  });
  const { onEnd, onError } = options;
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
    credentials,
    witness,
    callers,
  };
}
