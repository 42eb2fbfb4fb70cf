import { describeElsewhere, homeKept, isAtHome } from "../store/home.ts";
import { intentHolder } from "../store/intent-lock.ts";
import { puttingBack } from "./putting-back.ts";
import {
  type Found,
  isRequested,
  type NextState,
  type RenewalRun,
  storedId,
  writeRecord,
  writtenBy,
} from "./run.ts";
import { unreachable } from "./types.ts";

/**
 * R1. The lock is ours; only now is the record read, afresh: what was a reason before may be
 * none any more. Before all else: is it the record that this process knows, and one of its own? Then an intent
 * that stands, which is nobody's work by now.
 */
export async function reading(run: RenewalRun): Promise<NextState> {
  const { deps, trigger } = run;
  let found: Found;
  try {
    found = await deps.store.read();
  } catch (cause) {
    return { to: "idle", end: unreachable("The token store could not be read.", cause) };
  }
  if (run.held.intent?.mayTouch(found) === false) {
    await deps.consumer.noticeRecord();
    return { to: "idle", end: { kind: "nothing-to-do", detail: whoseWork(run, found) } };
  }
  const putBack = await puttingBack(run, found);
  if (putBack !== undefined) return putBack;
  const isForeign = !isAtHome(found);
  if (isForeign && trigger.request?.force !== true) {
    await deps.consumer.noticeRecord();
    return { to: "idle", end: { kind: "elsewhere", detail: describeElsewhere(found) } };
  }
  if (found?.sealedWithFirstKey === false) {
    const sealed = await writeRecord(deps.store, found.record, found.version);
    if (sealed.kind === "written") return { to: "reading" };
  }
  const record = found?.record;
  if (record !== undefined && record.stopped !== null) {
    if (trigger.request?.force !== true) {
      await deps.consumer.noticeRecord();
      return { to: "stopped", end: { kind: "stopped", detail: record.stopped.reason } };
    }
    return clearAlarm(run, found);
  }
  if (record !== undefined && record.intent !== null) {
    const { soleCall } = record.intent;
    return { to: "intending", found, reason: "takeover", soleCall: false, takenOver: { soleCall } };
  }
  if (isRequested(run, found) || isForeign) return { to: "probing", found, reason: "manual" };
  const id = storedId(found);
  if (id !== undefined && trigger.rejected.has(id)) return { to: "probing", found, reason: "rejected" };
  if (deps.isDue(record, deps.clock.now())) return { to: "probing", found, reason: "scheduled" };
  // Whoever thought that there was something to do has not seen this record yet.
  await deps.consumer.noticeRecord();
  return { to: "idle", end: { kind: "nothing-to-do", detail: "The stored token is not due for renewal." } };
}

/** Somebody was quicker: there is no lock but the intent itself. */
function whoseWork({ held }: RenewalRun, found: Found): string {
  const holder = found === undefined ? "Another process" : intentHolder(found.record, held.identity).words;
  return `${holder} works on the record: its intent stands there, and is left alone until it has stood still for long.`;
}

/** Only a person does this; the list of deaths begins anew with it. Whatever the write's answer, the record is read again. */
async function clearAlarm(run: RenewalRun, found: Found): Promise<NextState> {
  if (found === undefined) return { to: "reading" };
  const record = {
    ...found.record,
    stopped: null,
    unexplainedDeaths: [],
    home: homeKept(found),
    writtenBy: writtenBy(run),
  };
  const end = await writeRecord(run.deps.store, record, found.version);
  if (end.kind === "unclear") {
    return { to: "idle", end: unreachable("The alarm could not be cleared in the token store.", end.cause) };
  }
  if (end.kind === "written") run.deps.emit({ type: "alarm-changed", alarm: undefined });
  return { to: "reading" };
}
