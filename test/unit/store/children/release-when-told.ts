import { createInterface } from "node:readline";

import { systemClock } from "../../../../src/clock.ts";
import { createSingleHostLock } from "../../../../src/store/file/lock.ts";

// Takes the lock and says so; gives it back when it is told to, and says how late its timers were meanwhile:
// release-when-told.ts PATH
const [path = ""] = process.argv.slice(2);
const lock = createSingleHostLock({ path, what: "the record", clock: systemClock });
const held = await lock.acquire({ waitMs: 0 });
process.stdout.write("held\n");
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "release") continue;
  void held.release().then(() => process.stdout.write("released\n"));
  let latest = 0;
  for (let ticks = 0; ticks < 40; ticks += 1) {
    const begun = systemClock.monotonic();
    await systemClock.sleep(50);
    latest = Math.max(latest, systemClock.monotonic() - begun - 50);
  }
  process.stdout.write(`late by ${latest < 500 ? "little" : `${Math.round(latest)} ms`}\n`);
}
