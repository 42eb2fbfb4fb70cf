import type { Timer } from "../clock.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { Renewal } from "./machine.ts";
import { createProbeLoop } from "./probe-loop.ts";
import { recentDeaths } from "./probing.ts";
import { createRenewRequests } from "./renew-requests.ts";
import { createRetry } from "./retry.ts";
import type { Trigger, RenewalDeps } from "./run.ts";
import { type Renew, type RenewalEnd, type RenewalReport, unreachable } from "./types.ts";

export interface LifecycleOptions {
  readonly parts: RenewalDeps;
  readonly renewal: Renewal;
  /** The record in hand, as the store was last read. */
  readonly current: () => TokenRecord | undefined;
  /** When this record is to be renewed; null if that is not known. */
  readonly dueAt: (record: TokenRecord | undefined) => Date | null;
  /** Has Presto accepted this token in a call of our own since then (monotonic)? Spares a probe. */
  readonly acceptedSince: (tokenId: string, monotonic: number) => boolean;
}

/** When a token is issued, and who may ask for one (R0 of the protocol). */
export interface Lifecycle {
  /** Begins: probes the stored token, settles what an earlier process left, and keeps the schedule. */
  start(): void;
  readonly renew: Renew;
  /** Looks at the clocks again: a suspended laptop's timers lie. Cheap: every call may do it. */
  look(): void;
  /** The record in hand may have changed. */
  recordChanged(): void;
  /** Presto answered 401 to this token of ours. */
  tokenRejected(tokenId: string): void;
  /** The credentials may have changed. */
  credentialsChanged(): void;
  report(): RenewalReport;
  /** Begins no new renewal, and resolves when the one under way is finished, or left where the next process can take it up. */
  drain(): Promise<void>;
  /** Ends at once, wherever it is. */
  close(): void;
}

/** Longest and shortest time between two looks at the clocks, milliseconds. */
const lookEveryMs = 15_000;
const lookLeastMs = 50;
/** Old tokens are reported late, if at all. */
const mostRejected = 16;

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { parts, renewal, current } = options;
  const { clock, signals } = parts;
  const draining = new AbortController();
  const closing = new AbortController();
  const retry = createRetry(parts);
  const requests = createRenewRequests({ clock, state: renewal.state });
  const lifeProbe = createProbeLoop({
    parts,
    token: () => current()?.token ?? null,
    acceptedSince: options.acceptedSince,
    onDead: tokenRejected,
    onDone: () => {
      if (!draining.signal.aborted) arm();
    },
  });
  let running: Promise<void> | undefined;
  /** A first look under the lock settles what an earlier process left. */
  let begun = false;
  let started = false;
  /** Ids of tokens that Presto answered 401 to, and that no run has looked into since. */
  const rejected = new Set<string>();
  let credentialsRefused: string | undefined;
  /** How often the credentials may have changed. */
  let changes = 0;
  let lastEnd: RenewalReport["lastEnd"] = null;
  let timer: Timer | undefined;
  /** Wall-clock time of the next look, should the timer be late. */
  let lookAt = 0;

  function idInHand(): string | undefined {
    return current()?.token?.fingerprint();
  }

  /** What there is to do now, by what is known; R1 reads afresh and decides. */
  function occasion(): Trigger | undefined {
    const record = current();
    const request = requests.pending();
    const found = { request, rejected: new Set(parts.automatic ? rejected : []) };
    if (request !== undefined && credentialsRefused === undefined) return found;
    if (retry.isPutOff()) return undefined;
    if (!begun) return found;
    if (record !== undefined && record.stopped !== null) return undefined;
    if (record !== undefined && record.intent !== null) return found;
    if (credentialsRefused !== undefined) return undefined;
    const id = idInHand();
    const isRejected = id !== undefined && found.rejected.has(id);
    return isRejected || parts.isDue(record) ? found : undefined;
  }

  function look(): void {
    if (!started || draining.signal.aborted) return;
    lifeProbe.look(running !== undefined);
    const found = running === undefined ? occasion() : undefined;
    if (found !== undefined) {
      running = runOnce(found).finally(() => {
        running = undefined;
        // A request that came meanwhile, or a time that has come.
        look();
      });
    }
    arm();
  }

  /** No timer is waited for longer than a while: one that runs late is then not late by much. */
  function arm(): void {
    timer?.cancel();
    const due = parts.automatic ? options.dueAt(current()) : null;
    const waits = [lookEveryMs, lifeProbe.leftMs(running !== undefined)];
    if (running === undefined) {
      if (retry.isPutOff()) waits.push(retry.leftMs());
      if (due !== null && due.getTime() > clock.now()) waits.push(due.getTime() - clock.now());
    }
    const ms = Math.max(lookLeastMs, Math.min(...waits));
    lookAt = clock.now() + ms;
    timer = clock.after(ms, look);
  }

  async function runOnce(found: Trigger): Promise<void> {
    const changesBefore = changes;
    const end = await endOf(found);
    begun = true;
    settleWith(end, found, changes === changesBefore);
  }

  async function endOf(found: Trigger): Promise<RenewalEnd> {
    try {
      return await renewal.run({
        occasion: found,
        lockWaitMs: Number.POSITIVE_INFINITY,
        draining: draining.signal,
        closing: closing.signal,
      });
    } catch (cause) {
      if (draining.signal.aborted) return { kind: "shut-down" };
      return unreachable("The renewal could not be carried out here.", cause);
    }
  }

  function settleWith(end: RenewalEnd, found: Trigger, sameCredentials: boolean): void {
    lastEnd = { kind: end.kind, detail: "detail" in end ? end.detail : null, at: new Date(clock.now()) };
    if (end.kind === "renewed") credentialsRefused = undefined;
    if (end.kind === "refused" && end.credentials && sameCredentials) credentialsRefused = end.detail;
    // A report that came meanwhile, of the token that is new, stays.
    if (end.kind === "renewed" || end.kind === "nothing-to-do")
      for (const id of found.rejected) rejected.delete(id);
    retry.ended(end, end.kind === "renewed" && end.tokenId === idInHand() && parts.isDue(current()));
    requests.ended(end, found.request, current());
    signals.renewalEnded(end, retry.nextTryAt() ?? undefined);
  }

  function tokenRejected(tokenId: string): void {
    if (!rejected.has(tokenId)) retry.hurry();
    const [oldest] = rejected;
    if (rejected.size >= mostRejected && oldest !== undefined) rejected.delete(oldest);
    rejected.add(tokenId);
    look();
  }

  return {
    start() {
      started = true;
      look();
    },
    async renew(request) {
      const record = current();
      if (record !== undefined && record.stopped !== null && !request.force)
        return { kind: "stopped", detail: record.stopped.reason };
      if (credentialsRefused !== undefined) return { kind: "refused", detail: credentialsRefused };
      if (draining.signal.aborted)
        return { kind: "unreachable", detail: "This process is ending.", retryAfterMs: 5_000 };
      const reply = requests.add(request, record);
      look();
      return reply;
    },
    look() {
      if (clock.now() >= lookAt) look();
    },
    recordChanged: look,
    tokenRejected,
    credentialsChanged() {
      credentialsRefused = undefined;
      changes += 1;
      retry.forget();
      look();
    },
    report() {
      const record = current();
      return {
        state: record?.stopped === null && renewal.state() === "stopped" ? "idle" : renewal.state(),
        automatic: parts.automatic,
        dueAt: parts.automatic ? options.dueAt(record) : null,
        nextTryAt: retry.nextTryAt(),
        lastEnd,
        stopped: record?.stopped ?? null,
        unexplainedDeaths: recentDeaths(record?.unexplainedDeaths ?? [], clock.now()).length,
        credentialsRefused: credentialsRefused ?? null,
      };
    },
    async drain() {
      draining.abort();
      timer?.cancel();
      await running;
      requests.ended({ kind: "shut-down" }, undefined, current());
    },
    close() {
      draining.abort();
      closing.abort();
      timer?.cancel();
    },
  };
}
