import { sleepUnlessAborted } from "../lib/async.ts";
import type { IntentTerm, TokenRecord } from "../store/contract.ts";
import { type RenewalRun, type Standing, storedId, writeRecord, writtenBy } from "./run.ts";

/** An intent of ours that is kept from looking left behind. */
export interface KeptIntent {
  /** Ends it, once a write that is under way is over. @returns the intent as it stands now, if it is ours still */
  end(): Promise<Standing>;
}

/**
 * Where the intent is the lock, others take over one that stood unchanged for LEASE, and SETTLE is longer:
 * two rotators would take it from each other for ever. So it is written anew now and then while it is settled:
 * the same intent, for it stands for the same call, and each caller that a proxy holds for it is held once.
 */
export function keepIntent(run: RenewalRun, standing: Standing): KeptIntent {
  const { clock } = run.deps;
  const term = run.held.intent;
  if (term === undefined) return { end: async () => standing };
  const ended = new AbortController();
  let latest = standing;

  async function keep(kept: IntentTerm): Promise<void> {
    for (;;) {
      await sleepUnlessAborted(clock, Math.max(leastPauseMs, kept.dueAt() - clock.monotonic()), ended.signal);
      if (ended.signal.aborted) return;
      const next = await writeAnew(run, kept, latest);
      if (next === undefined) return;
      latest = next;
    }
  }

  const work = keep(term);
  return {
    async end() {
      ended.abort();
      await work;
      return latest;
    },
  };
}

/** Between two tries where the store does not answer, milliseconds. */
const leastPauseMs = 1_000;

/** @returns undefined where it is ours no more, or somebody else has written: whoever goes on by it is refused, and reads again */
async function writeAnew(
  run: RenewalRun,
  term: IntentTerm,
  standing: Standing,
): Promise<Standing | undefined> {
  const { intent, record, version } = standing;
  const { clock, store } = run.deps;
  const sentAt = clock.monotonic();
  const kept = { ...intent, at: new Date(clock.now()) };
  const next: TokenRecord = { ...record, intent: kept, writtenBy: writtenBy(run) };
  const end = await writeRecord(store, next, version);
  if (end.kind === "written") {
    term.stands(sentAt);
    return { ...standing, intent: kept, record: next, version: end.version };
  }
  if (end.kind === "refused") return undefined;
  try {
    const found = await store.read();
    // Not applied, or not yet: a write that is applied late makes the next one be refused.
    if (found?.version === version) return standing;
    const isOurs =
      found?.record.intent?.id === intent.id && found.record.writtenBy?.holder === run.deps.holder;
    if (found === undefined || !isOurs || storedId(found) !== record.token?.fingerprint()) return undefined;
    term.stands(sentAt);
    return { ...found, intent: found.record.intent ?? kept };
  } catch {
    return standing;
  }
}
