import { faultKinds, faultsOf } from "./fault-kinds.ts";
import type { FaultKind, OperationKind } from "./fault-kinds.ts";
import type { Random } from "./random.ts";
import type { Scenario, Strike } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

/** What becomes of one operation: how long it is on its way there and back, and the fault that strikes it. */
export interface Fate {
  readonly fault: FaultKind | undefined;
  readonly toMs: number;
  readonly backMs: number;
  /** Of an issue call: Presto executes it just after somebody else's. */
  readonly isHeldBack?: boolean;
}

/** Decides what goes wrong, and keeps count of it. */
export interface Faults {
  fate(process: SimProcess, operation: OperationKind): Fate;
  /** A fault was made. */
  count(kind: FaultKind): void;
  /**
   * Pauses the process: sometimes for a moment, sometimes past the term of its lease.
   * @param isAfterLook its first byte goes the moment it wakes, and it does not look at its lock any more
   */
  pause(process: SimProcess, isSuspended: boolean, isAfterLook?: boolean): void;
  restart(process: SimProcess): void;
  counts(): ReadonlyMap<FaultKind, number>;
  /** How many of those that the protocol has to bear: not what befalls callers' calls only. */
  total(): number;
  /** Moments of those faults, and how long each went on: deaths that come of it may be found out much later. */
  moments(): readonly number[];
  /** True once a process was paused for longer than its lock was its own, after its last look at it (R5): then two calls may overlap. */
  wasPausedPastTerm(): boolean;
  /** No more. */
  stop(): void;
  isOver(): boolean;
}

export interface FaultsOptions {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  /** Milliseconds for which nobody else can have the lock that this process has, or is about to have. */
  readonly termLeft: (process: SimProcess) => number;
  /** Asks it to end, as SIGTERM does. */
  readonly restart: (process: SimProcess) => void;
  /** Is it between R5 and its first byte? A clock that stood still meanwhile tells it nothing. */
  readonly isAboutToIssue: (process: SimProcess) => boolean;
}

/** These make callers' calls fail, and are nothing to whoever looks after the token. */
const harmless = new Set<FaultKind>(["call-broken", "watch-silent", "watch-cut", "address-moved"]);

export function createFaults(options: FaultsOptions): Faults {
  const { scenario, timeline, random, story } = options;
  const counts = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  const moments: number[] = [];
  const isFile = scenario.topology === "file";
  const done = new Map<OperationKind, number>();
  let pausedPastTerm = false;
  let over = false;

  function count(kind: FaultKind): void {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (!harmless.has(kind)) moments.push(timeline.now());
  }

  function draw(operation: OperationKind): FaultKind {
    const kind = random.pick(faultsOf[operation]);
    // A file is written at once or not at all.
    return isFile && kind === "applied-late" ? "applied-unheard" : kind;
  }

  function strikeAt(operation: OperationKind): Strike | undefined {
    const nth = (done.get(operation) ?? 0) + 1;
    done.set(operation, nth);
    if (over) return undefined;
    return scenario.strikes.find((strike) => strike.operation === operation && strike.nth === nth);
  }

  return {
    fate(process, operation) {
      const isLocal = isFile && operation !== "issue" && operation !== "probe";
      const toMs = isLocal ? random.between(0.2, 4) : random.between(2, 60);
      const backMs = isLocal ? random.between(0.2, 4) : random.between(2, 60);
      const strike = strikeAt(operation);
      if (strike === undefined) return { fault: undefined, toMs, backMs };
      const fault = strike.fault ?? draw(operation);
      count(fault);
      story.tell(() => `FAULT ${fault}: ${process.name} was about to ${operation}`);
      if (fault === "executed-late" && scenario.kind === "overlap" && random.chance(0.6)) {
        // Its sender sleeps meanwhile, and hears of its token when another is stored.
        count("pause");
        return { fault: "pause", toMs, backMs, isHeldBack: true };
      }
      if (fault !== "slow") return { fault, toMs, backMs };
      const extra = random.between(500, 15_000);
      return random.chance(0.5)
        ? { fault, toMs: toMs + extra, backMs }
        : { fault, toMs, backMs: backMs + extra };
    },
    count,
    pause(process, isSuspended, isAfterLook = false) {
      const { leaseMs, settleMs } = scenario.times;
      const extraMs = scenario.kind === "overlap" ? 10_000 : 30_000;
      const term = options.termLeft(process);
      // About as long as its term: others take over at that very moment.
      const isNearEnd = Number.isFinite(term) && scenario.kind === "overlap" && random.chance(0.4);
      const ms = isNearEnd
        ? Math.max(500, term + random.between(-6_000, 3_000))
        : random.chance(0.4)
          ? random.between(500, leaseMs / 2)
          : random.between(leaseMs, leaseMs + settleMs + extraMs);
      const isUnnoticed = isAfterLook || (isSuspended && options.isAboutToIssue(process));
      if (isUnnoticed && ms > term) pausedPastTerm = true;
      process.pause(ms, isSuspended);
    },
    restart: options.restart,
    counts: () => counts,
    total: () => moments.length,
    moments: () => moments,
    wasPausedPastTerm: () => pausedPastTerm,
    stop() {
      over = true;
    },
    isOver: () => over,
  };
}
