import { backOffMs } from "../lib/async.ts";
import type { HeldLock, Intent, PodName } from "../store/contract.ts";
import { intending } from "./intending.ts";
import { checking, issuing } from "./issuing.ts";
import { probing } from "./probing.ts";
import { reading } from "./reading.ts";
import type { RememberedToken } from "./remembering.ts";
import { emptyMemory, type NextState, type RenewalDeps, type RenewalRun, type Trigger } from "./run.ts";
import { settling } from "./settling.ts";
import { clearing, reconciling, storing } from "./storing.ts";
import type { LockReport, OtherHolder, RenewalEnd, RenewalState } from "./types.ts";

export interface RunOptions {
  readonly trigger: Trigger;
  /** Milliseconds to wait for the lock. */
  readonly lockWaitMs: number;
  /** Told who holds the lock, as soon as it turns out that somebody else does, and now and then from then on. */
  readonly onOtherHolder?: (other: OtherHolder) => void;
  /** Nothing new is begun; what was sent is seen to its end. */
  readonly draining: AbortSignal;
  /** Everything ends where it stands. */
  readonly closing: AbortSignal;
}

/** How a token is renewed: the states R1 to R8 of the protocol (docs/renewal.md), one run at a time. */
export interface Renewal {
  /**
   * Takes the lock, goes through the states, gives the lock back.
   * @throws CommandError of the lock: `try-again` names its holder, `system-refused` says why it can't be had
   */
  run(options: RunOptions): Promise<RenewalEnd>;
  state(): RenewalState;
  /** Who holds the lock, as far as is known here. */
  lock(): LockReport;
  /** Who holds the lock that is waited for; undefined while none is. */
  waitsFor(): OtherHolder | undefined;
  /** Since when (wall clock) a token that was issued is in this process's memory alone; undefined while none is. */
  unstoredSince(): Date | undefined;
  /** Ids of the tokens that were issued here last: the one that is stored next among them. */
  issued(): ReadonlySet<string>;
  /** The token that works, as far as this process knows. */
  readonly remembered: RememberedToken;
}

/** Between two readings in a run: whoever refuses our writes needs time, too. */
const rereadings = { firstMs: 100, mostMs: 5_000 };

/** Whoever holds the lock for longer is told of. */
const tellAfterMs = 5_000;

export function createRenewal(deps: RenewalDeps): Renewal {
  const memory = emptyMemory();
  let state: RenewalState = "idle";
  let other: OtherHolder | undefined;
  let toldHolder: string | undefined;
  let mine: HeldLock | undefined;
  let unstoredSince: Date | undefined;

  function move(to: RenewalState, intent?: Intent): void {
    if (to === state) return;
    deps.emit({ type: "renewal-moved", from: state, to, reason: intent?.reason, intent: intent?.id });
    state = to;
  }

  /** One that hangs holds the lock for ever, and nobody else can say why nothing is renewed. */
  function noteOther({ words }: OtherHolder, waitedMs: number): void {
    move("locking");
    if (waitedMs < tellAfterMs || toldHolder === words) return;
    toldHolder = words;
    deps.emit({
      type: "warning",
      message: `${words} holds the renewal lock, so that this process waits for it and renews nothing. If that process hangs, end it.`,
      cause: undefined,
    });
  }

  async function walk(run: RenewalRun): Promise<RenewalEnd> {
    let next: NextState = { to: "reading" };
    for (let readings = 0; ;) {
      move(next.to, "standing" in next ? next.standing.intent : undefined);
      unstoredSince = "candidate" in next ? (unstoredSince ?? new Date(deps.clock.now())) : undefined;
      if (next.to === "idle" || next.to === "stopped") return next.end;
      // A token that was just issued is tried to be stored even then: once takes milliseconds.
      if (run.closing.aborted && next.to !== "storing") return { kind: "shut-down" };
      if (run.draining.aborted && isBeforeIntent(next)) return { kind: "shut-down" };
      if (next.to === "reading" && readings > 0)
        await deps.clock.sleep(backOffMs(rereadings, readings, deps.random()), run.draining);
      if (next.to === "reading") readings += 1;
      next = await step(run, next);
    }
  }

  return {
    async run({ trigger, lockWaitMs, draining, closing, onOtherHolder }) {
      const onHeld = (words: string, waitedMs: number, pod?: PodName): void => {
        other = { words, pod };
        noteOther(other, waitedMs);
        onOtherHolder?.(other);
      };
      const wanted = { waitMs: lockWaitMs, outwaits: true, signal: draining, onHeld };
      const held = await deps.lock.acquire(wanted).finally(() => {
        other = undefined;
        toldHolder = undefined;
        if (state === "locking") move("idle");
      });
      mine = held;
      try {
        return await walk({ deps, held, trigger, memory, draining, closing });
      } catch (cause) {
        if (draining.aborted) return { kind: "shut-down" };
        throw cause;
      } finally {
        await held.release();
        mine = undefined;
        unstoredSince = undefined;
        if (state !== "stopped") move("idle");
      }
    },
    state: () => state,
    lock() {
      const ours = mine !== undefined && mine.heldUntil() > deps.clock.monotonic();
      return { name: deps.lock.name, holder: ours ? "This process" : (other?.words ?? null), ours };
    },
    waitsFor: () => other,
    unstoredSince: () => unstoredSince,
    issued: () => memory.issued,
    remembered: memory.remembered,
  };
}

/** Nothing of this run stands in the record yet. */
function isBeforeIntent({ to }: NextState): boolean {
  return to === "reading" || to === "probing" || to === "intending";
}

/** One state's work; what it gives is the state that follows. */
function step(run: RenewalRun, next: Exclude<NextState, { to: "idle" | "stopped" }>): Promise<NextState> {
  switch (next.to) {
    case "reading":
      return reading(run);
    case "probing":
      return probing(run, next);
    case "intending":
      return intending(run, next);
    case "settling":
      return settling(run, next);
    case "checking":
      return checking(run, next);
    case "issuing":
      return issuing(run, next);
    case "storing":
      return storing(run, next);
    case "reconciling":
      return reconciling(run, next);
    case "clearing":
      return clearing(run, next);
  }
}
