import { retryForever } from "../lib/async.ts";
import type { Intent, TokenRecord } from "../store/contract.ts";
import { homeOf } from "../store/home.ts";
import { emptyRecord } from "../store/record.ts";
import {
  type Found,
  type NextState,
  type RenewalRun,
  type Standing,
  storedId,
  tellDeath,
  writeRecord,
  writtenBy,
} from "./run.ts";
import { type RenewalEnd, unreachable } from "./types.ts";

type Intending = Extract<NextState, { to: "intending" }>;

/**
 * R3. Says in the store what is about to be done, over whatever intent stands there: this
 * proves that the store can be written before anything is revoked, tells every proxy to hold
 * new calls, and makes the write of a holder that wakes up late fail.
 */
export async function intending(run: RenewalRun, state: Intending): Promise<NextState> {
  const { deps } = run;
  const { clock, store } = deps;
  const base = state.found?.record ?? emptyRecord;
  const intent: Intent = {
    id: deps.newId(),
    holder: deps.holder,
    soleCall: state.soleCall,
    reason: state.reason,
    at: new Date(clock.now()),
  };
  const record: TokenRecord = {
    ...base,
    intent,
    ...(state.deaths === undefined
      ? {}
      : { unexplainedDeaths: state.deaths, lastDeath: storedId(state.found) ?? null }),
    home: homeOf(state.found),
    writtenBy: writtenBy(run),
  };
  const sentAt = clock.monotonic();
  const end = await writeRecord(store, record, state.found?.version);
  if (end.kind === "refused") return { to: "reading" };
  if (end.kind === "written") {
    run.held.intent?.stands(sentAt);
    countDeath(run, state);
    await deps.consumer.noticeRecord();
    const home = end.home ?? homeOf(state.found);
    const standing: Standing = {
      intent,
      record: { ...record, home },
      version: end.version,
      ...(home === null ? {} : { identity: home }),
    };
    const tookMs = clock.monotonic() - sentAt;
    const isSlow = tookMs > slowestWriteMs;
    if (state.takenOver === undefined)
      return isSlow ? { to: "clearing", end: tooSlow(tookMs) } : { to: "checking", standing };
    const call = { soleCall: state.takenOver.soleCall, givenUpAt: clock.monotonic() };
    return { to: "settling", standing, call, underThisIntent: isSlow };
  }

  const found = await readAgain(run, end.cause);
  if (found?.record.intent?.id !== intent.id) {
    // R1 again, but after a pause and with a word to whoever can mend the store.
    // An earlier intent of ours is settled by now, and not left for the next run to settle again.
    const to = base.intent?.holder === deps.holder ? "clearing" : "idle";
    return { to, end: unreachable("The token store could not be written, so nothing was begun.", end.cause) };
  }
  run.held.intent?.stands(sentAt);
  countDeath(run, state);
  await deps.consumer.noticeRecord();
  const standing: Standing = { ...found, intent };
  // When it was applied is not known, so nothing is concluded from a dead token; and no call is made under it,
  // for a store that could not answer this write might not take the token either.
  const call = { soleCall: false, givenUpAt: clock.monotonic() };
  return { to: "settling", standing, call, underThisIntent: true };
}

/** A store that needs longer for a write can't be relied on to take the token: no call is made by it. Milliseconds. */
const slowestWriteMs = 5_000;

function tooSlow(tookMs: number): RenewalEnd {
  const seconds = (tookMs / 1000).toFixed(1);
  const detail = `The token store needed ${seconds} s for a write, and more than ${slowestWriteMs / 1000} s is too slow to have a token issued that must be stored, so none was. See what holds up its writes: a busy disk, a quorum far away, an admission webhook.`;
  return { kind: "unreachable", detail };
}

/** For as long as it takes: what stands there decides. */
async function readAgain({ deps, draining }: RenewalRun, cause: unknown): Promise<Found> {
  try {
    return await deps.store.read();
  } catch {
    deps.emit({
      type: "warning",
      message:
        "It is not known whether the intent of a renewal was written, and the token store can't be read to find out. Nothing is issued; it is read again and again.",
      cause,
    });
    return retryForever(deps, draining, () => deps.store.read());
  }
}

function countDeath(run: RenewalRun, { deaths, found }: Intending): void {
  const id = storedId(found);
  if (deaths === undefined || id === undefined) return;
  run.memory.accountedFor = id;
  tellDeath(run, found, deaths.length);
}
