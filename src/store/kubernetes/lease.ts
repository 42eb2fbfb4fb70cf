import type { Timer } from "../../clock.ts";
import { CommandError } from "../../errors.ts";
import { untilStopped, within } from "../../lib/async.ts";
import type { HeldLock, OpenLock, RenewalLock } from "../contract.ts";
import { describeHolder, type DescribedHolder } from "../holder.ts";
import type { LeaseAddress } from "../lock-address.ts";
import { beginTerm, leaseMs, type Term } from "../term.ts";
import { createApi } from "./api.ts";
import { type ClusterOptions, openCluster } from "./cluster.ts";
import {
  createLease,
  type FoundLease,
  isWritten,
  type Lease,
  type LeaseDeps,
  type LeaseOptions,
} from "./lease-object.ts";

export interface LeaseLockDeps extends LeaseDeps {
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

/** Milliseconds between two looks of whoever waits, and as much again at random: the lock is handed over within 2 s, and a standby asks once a second at most. */
const lookEveryMs = 1_000;
const lookJitterMs = 500;
/** A renewal that failed is tried again after this and up to as much again. */
const retryMs = 1_000;
/** Who waits is told anew who holds it: that may be another by now. */
const tellEveryMs = 5_000;
/** So often a write is tried once more over what somebody else wrote at the same moment. */
const mostTries = 4;
/** Longest that giving it back is waited for: one request that hangs, and one over a new connection. */
const releaseMs = 6_000;

/**
 * A Lease, with the semantics of client-go's leader election: no clock of another machine is trusted. Whoever
 * waits sees the object's version change, and takes the Lease only when it has not changed for the longer of
 * LEASE and the time that stands in it, by its own monotonic clock. Its holder counts from when it sent what
 * it wrote last (`term.ts`), which is earlier. Every write is a compare-and-set. No lock of this kind fences.
 */
export function createLeaseLock(options: LeaseOptions, deps: LeaseLockDeps): RenewalLock {
  const { namespace, name, holder } = options;
  const { clock, random } = deps;
  const lease = createLease(options, deps);
  /** Kept from one wait to the next: a version seen long ago, and still there, has been there all the time. */
  let seen: { readonly version: string; readonly since: number; readonly termMs: number } | undefined;
  /** By whoever asks in this process: all of it has one name. */
  let isTaken = false;

  function isFree(found: FoundLease | undefined): boolean {
    if (found === undefined || found.holder === "" || found.holder === holder) return true;
    // Only now: the answer took its time.
    const now = clock.monotonic();
    if (seen?.version !== found.version)
      seen = { version: found.version, since: now, termMs: Math.max(leaseMs, found.durationMs) };
    return now - seen.since >= seen.termMs;
  }

  async function tryTake(): Promise<HeldLock | DescribedHolder> {
    for (let tries = 1; ; tries += 1) {
      const found = await lease.find();
      if (!isFree(found)) return describeHolder(found?.holder, holder);
      const term = beginTerm(clock, leaseMs);
      const spec = lease.takenSpec(found);
      const stands = await lease.put(found, spec).catch((error: unknown) => lease.judge(error, spec));
      // An answer that comes when the term is over: it is ours in name, and is taken anew.
      if (stands !== "refused" && term.heldUntil() > clock.monotonic())
        return hold(lease, term, stands, deps);
      if (tries >= mostTries) return { words: "Somebody who writes to it all the time", pod: undefined };
    }
  }

  /** One look, and the lock if it can be had. A process that is to end does not wait for an answer. */
  async function look(signal: AbortSignal | undefined): Promise<HeldLock | DescribedHolder> {
    if (isTaken) return { words: "This process", pod: undefined };
    isTaken = true;
    const attempt = tryTake().then(
      (got) =>
        "words" in got ? free(got) : { ...got, release: () => got.release().finally(() => free(got)) },
      (error: unknown) => {
        throw free(error);
      },
    );
    if (signal === undefined) return attempt;
    try {
      return await untilStopped(signal, attempt);
    } catch (error) {
      attempt.then(
        (got) => ("words" in got ? undefined : got.release()),
        () => {},
      );
      throw error;
    }
  }

  function free<T>(value: T): T {
    isTaken = false;
    return value;
  }

  return {
    name: `Lease ${namespace}/${name}`,
    async acquire({ waitMs, outwaits = false, signal, onHeld }) {
      const begun = clock.monotonic();
      let first: typeof seen;
      let tellAfter = 0;
      let told: string | undefined;
      for (;;) {
        signal?.throwIfAborted();
        const got = await look(signal);
        if (!("words" in got)) return got;
        first ??= seen;
        const waited = clock.monotonic() - begun;
        // One of another program, for hours, is told at once.
        const standsStill = outwaits && waitMs > 0 && seen === first && seen?.termMs === leaseMs;
        if (waited >= waitMs && !standsStill) throw heldBy(got, options);
        if (waited >= tellAfter || got.words !== told) {
          tellAfter = waited + tellEveryMs;
          told = got.words;
          onHeld?.(got.words, waited, got.pod);
        }
        const pauseMs = lookEveryMs + random() * lookJitterMs;
        await clock.sleep(waited < waitMs ? Math.min(pauseMs, waitMs - waited) : pauseMs, signal);
      }
    },
  };
}

function heldBy({ words }: DescribedHolder, { namespace, name }: LeaseAddress): CommandError {
  const other = words.includes("no presto-sidecar")
    ? ` If the two have nothing to do with each other, name another Lease in PRESTO_LOCK.`
    : "";
  return new CommandError(
    "try-again",
    `${words} holds the lock, the Lease ${namespace}/${name}. Nothing was changed. Try again when it is done; if that process is gone, whoever renews next takes it over.${other}`,
  );
}

/** The Lease as its holder has it, from this first write on. */
function hold(lease: Lease, term: Term, first: FoundLease, { clock, random }: LeaseLockDeps): HeldLock {
  let latest = first;
  let released = false;
  let timer: Timer | undefined;
  /** One write after the other. */
  let turn: Promise<unknown> = Promise.resolve();

  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = turn.then(run, run);
    turn = mine;
    return mine;
  }

  /** This taking of it, and not an earlier or a later one of this process. */
  function isMine(found: FoundLease | undefined): found is FoundLease {
    const same = ["holderIdentity", "acquireTime"].every((field) => found?.spec[field] === first.spec[field]);
    return found !== undefined && same;
  }

  /** Reads what stands there after a write of which nothing is known, or that was refused; false: it is not ours any more. */
  async function readAgain(): Promise<boolean> {
    const found = await lease.find();
    if (!isMine(found)) {
      term.lose();
      return false;
    }
    latest = found;
    return true;
  }

  const isOver = (): boolean => released || term.heldUntil() <= clock.monotonic();

  async function renewOnce(): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      if (isOver()) return false;
      const sentAt = clock.monotonic();
      const spec = lease.renewedSpec();
      const stands = await lease.put(latest, spec).catch(() => "refused" as const);
      if (stands !== "refused") latest = stands;
      else if (!(await readAgain())) return false;
      if (isWritten(latest, spec)) return term.renewed(sentAt);
      if (tries >= mostTries) throw new Error("the Lease can't be written");
    }
  }

  async function renew(): Promise<boolean> {
    const ours = await inTurn(renewOnce);
    if (ours) keepLater(term.sentAt() + leaseMs / 3 - clock.monotonic());
    return ours;
  }

  function keepLater(ms: number): void {
    timer?.cancel();
    if (released) return;
    timer = clock.after(ms, () => {
      renew().catch(() => keepLater(retryMs * (1 + random())));
    });
  }

  async function giveBack(): Promise<void> {
    for (let tries = 1; tries <= mostTries; tries += 1) {
      const spec = lease.freedSpec();
      const stands = await lease.put(latest, spec).catch(() => "refused" as const);
      if (stands !== "refused" || !(await readAgain())) return;
    }
  }

  keepLater(term.sentAt() + leaseMs / 3 - clock.monotonic());
  return {
    identity: lease.identity,
    heldUntil: () => (released ? Number.NEGATIVE_INFINITY : term.heldUntil()),
    // Not even after a write that is under way.
    renew: async () => !isOver() && (await renew()),
    async release() {
      if (released) return;
      released = true;
      timer?.cancel();
      // What can't be given back runs out.
      await within(clock, releaseMs, inTurn(giveBack)).catch(() => {});
    },
  };
}

/**
 * One with connections of its own.
 * @throws CommandError `configuration` where it is not said how the API server is reached
 */
export async function openLeaseLock(
  options: LeaseOptions & { readonly cluster: ClusterOptions },
  deps: Omit<LeaseLockDeps, "api">,
): Promise<OpenLock> {
  const api = createApi(await openCluster(options.cluster, deps.clock), deps.clock);
  return { ...createLeaseLock(options, { ...deps, api }), close: api.close };
}
