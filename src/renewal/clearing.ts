import { backOffMs } from "../lib/backoff.ts";
import type { NextState } from "./next-state.ts";
import { type RenewalRun, writtenBy } from "./renewal-run.ts";
import { writeRecord } from "./write-record.ts";

type Clearing = Extract<NextState, { to: "clearing" }>;

/** Between two tries. */
const tries = { firstMs: 100, mostMs: 5_000 };

/** R8. Takes away an intent of ours, and nobody else's: another holder's call may be under way. */
export async function clearing(run: RenewalRun, { end }: Clearing): Promise<NextState> {
  const { clock, random } = run.parts;
  for (let count = 1; !run.closing.aborted; count += 1) {
    if (await isCleared(run)) {
      await run.parts.users.noticeRecord();
      return { to: "idle", end };
    }
    await clock.sleep(backOffMs(tries, count, random()), run.closing).catch(() => {});
  }
  return { to: "idle", end: { kind: "shut-down" } };
}

async function isCleared(run: RenewalRun): Promise<boolean> {
  const { store, holder } = run.parts;
  try {
    const found = await store.read();
    if (found === undefined || found.record.intent?.holder !== holder) return true;
    const record = { ...found.record, intent: null, writtenBy: writtenBy(run) };
    return (await writeRecord(store, record, found.version)).kind === "written";
  } catch {
    return false;
  }
}
