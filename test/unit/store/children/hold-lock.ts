import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { systemClock } from "../../../../src/clock.ts";
import { createSingleHostLock } from "../../../../src/store/file/lock.ts";

// Takes the lock, says so, and holds it until it is killed: hold-lock.ts PATH
const [path = ""] = process.argv.slice(2);
await createSingleHostLock({ path, what: "the record", clock: systemClock }).acquire({ waitMs: 0 });
// Nothing here refers to the lock any more: a collection of garbage must not give it back.
setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");
if (typeof collect !== "function") throw new Error("there is no way to collect garbage");
for (let round = 0; round < 3; round += 1) {
  collect();
  await systemClock.sleep(1);
}
process.stdout.write("held\n");
await systemClock.sleep(600_000);
