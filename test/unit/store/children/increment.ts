import { systemClock } from "../../../../src/clock.ts";
import { Secret } from "../../../../src/secret.ts";
import { createFileStore } from "../../../support/file-stores.ts";

// Adds one to the generation COUNT times by compare-and-set: increment.ts PATH KEYS COUNT
const [path = "", keys = "", count = "0"] = process.argv.slice(2);
const store = createFileStore({
  path,
  keys: { kind: "value", secret: new Secret(keys) },
  clock: systemClock,
});
let done = 0;
let refused = 0;
while (done < Number(count)) {
  const current = await store.read();
  if (current === undefined) throw new Error("there is no record");
  const { record, version } = current;
  const result = await store.write({ ...record, generation: record.generation + 1 }, version);
  if (result.outcome === "written") done += 1;
  else refused += 1;
}
process.stdout.write(JSON.stringify({ done, refused }));
