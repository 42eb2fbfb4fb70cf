import { keepRecord } from "../../../src/app/record.ts";
import { composeSidecar, type Sidecar } from "../../../src/app/sidecar.ts";
import type { Head } from "../../../src/audit/line.ts";
import { verifyRecord } from "../../../src/audit/verify.ts";
import { CommandError } from "../../../src/errors.ts";
import type { Event } from "../../../src/observe/events.ts";
import { walletOperations } from "../../../src/policy/operations.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory-store.ts";
import type { Random } from "../random.ts";
import { createSimProcess, type SimProcess } from "../sim-process.ts";
import type { Story } from "../story.ts";
import type { Timeline } from "../timeline.ts";
import { Violation } from "../violation.ts";
import type { MoneyScenario } from "./scenario.ts";
import { createSimDisk, type SimDisk } from "./sim-disk.ts";
import type { SimPresto } from "./sim-presto.ts";

/** A sidecar that serves, in one life of its process. */
export interface Serving {
  readonly process: SimProcess;
  readonly sidecar: Sidecar;
}

/** A place where a sidecar runs: its disk outlives its process. */
export interface Site {
  readonly name: string;
  readonly disk: SimDisk;
  /** Undefined while its process is dead, or has not come to listen. */
  serving(): Serving | undefined;
  start(): void;
  /** Its process ends, without a word, and is started again after a while. */
  crash(losesPower: boolean): void;
  /** How often it has. */
  crashes(): number;
  /** No more of that. */
  mend(): void;
  setToken(token: string): void;
  /** Presto said `completed` of what it had called `failed`, and that was told. */
  contradictions(): number;
  /** The record verifies, against the newest head that was told. */
  verify(): Promise<void>;
}

export interface SiteOptions {
  readonly name: string;
  readonly scenario: MoneyScenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly presto: Pick<SimPresto, "connectionsOf">;
  /** What nobody catches. */
  readonly onError: (error: unknown) => void;
}

const path = "/record/audit.jsonl";

export function createSite(options: SiteOptions): Site {
  const { name, scenario, timeline, random, story, presto, onError } = options;
  const disk = createSimDisk({ name, timeline, random: random.fork(), story, badDisk: scenario.badDisk });
  let lives = 0;
  let process: SimProcess | undefined;
  let now: Serving | undefined;
  let token = "";
  let store: MemoryStore | undefined;
  let crashes = 0;
  let contradictions = 0;
  let head: Head | undefined;

  function hear(event: Event): void {
    if (event.type === "audit-head") ({ head } = event);
    if (event.type === "audit-availability")
      story.tell(() => `${name}: the record is ${event.unavailable?.reason ?? "available"}`);
    if (event.type === "outcome-open") story.tell(() => `${name}: ${event.requestId} has no clear end`);
    if (event.type === "outcome-settled")
      story.tell(() => `${name}: ${event.reference} is settled: ${event.status}`);
    if (event.type === "completed-after-failed") contradictions += 1;
  }

  async function begin(own: SimProcess): Promise<void> {
    const { clock } = own;
    const record = await keepRecord(
      {
        role: "proxy",
        audit: { place: { kind: "file", path, mode: 0o600 }, whenUnavailable: scenario.whenUnavailable },
        pod: { name, namespace: undefined },
        operations: walletOperations,
      },
      {
        clock,
        observers: { emit: hear, version: "simulated", keepRecord() {} },
        described: [],
        files: { disk: disk.openFor(own), lock: freeLock, mostBytes: scenario.mostBytes },
      },
    );
    if (record === undefined) throw new Error("no record is kept");
    store = createMemoryStore();
    store.put({ token });
    const chance = random.fork();
    const sidecar = composeSidecar(
      {
        role: "proxy",
        limits: { maxInFlight: 16, maxQueue: 64, maxBuffered: 1_000_000 },
        holdMaxMs: scenario.timeoutMs / 2,
        pollMs: 30_000,
        storeIsRemote: false,
        registered: [],
        probe: { reference: "made-up", timeoutMs: scenario.timeoutMs },
        settle: {
          settleMs: scenario.settleMs,
          settleOutcomesMs: scenario.settleOutcomesMs,
          questionMs: Math.min(scenario.timeoutMs, 10_000),
          mostCompleted: 2_000,
        },
        renewal: undefined,
      },
      {
        store,
        dispatcher: presto.connectionsOf(name, own),
        openPool() {
          throw new Error("nobody asks for a connection of their own");
        },
        checkUrls: [],
        issuing: undefined,
        record: record.money,
        clock,
        random: () => chance.next(),
        emit: hear,
      },
    );
    record.leaveTo(sidecar);
    await sidecar.prepare();
    sidecar.start();
    if (own.isAlive()) now = { process: own, sidecar };
  }

  function start(): void {
    lives += 1;
    const own = createSimProcess({
      role: name,
      life: lives,
      timeline,
      random: random.fork(),
      story,
      epoch: scenario.epoch,
      // Each start may find the wall clock elsewhere.
      wallOffset: random.chance(0.2) ? random.between(-3_600_000, 3_600_000) : random.between(-500, 500),
    });
    process = own;
    own.deliver(random.between(0, 50), () => {
      // Whatever stands there was written by this program.
      begin(own).catch((thrown: unknown) =>
        onError(
          thrown instanceof CommandError ? new Violation("chain", `${name}: ${thrown.message}`) : thrown,
        ),
      );
    });
  }

  return {
    name,
    disk,
    serving: () => now,
    start,
    crash(losesPower) {
      if (process?.isAlive() !== true) return;
      crashes += 1;
      now = undefined;
      process.kill(losesPower ? "its machine lost power" : "kill -9");
      if (losesPower) disk.cutPower();
      void verify().catch(onError);
      timeline.after(random.between(100, 4_000), start);
    },
    crashes: () => crashes,
    mend: () => disk.mend(),
    setToken(next) {
      token = next;
      const told = store;
      process?.deliver(random.between(0, 3_000), () => {
        told?.put({ token: next });
        told?.notify();
      });
    },
    contradictions: () => contradictions,
    verify,
  };

  async function verify(): Promise<void> {
    const paths = disk.paths().filter((each) => each.startsWith(path));
    if (paths.length === 0) return;
    const verified = await verifyRecord(disk.still, paths, head);
    if (!verified.ok) throw new Violation("chain", `${name}: ${verified.fault.sentence}`);
  }
}

/** One process runs at a place. */
const freeLock = {
  acquire: async () => ({
    identity: "simulated",
    heldUntil: () => Number.POSITIVE_INFINITY,
    renew: async () => true,
    release: async () => {},
  }),
};
