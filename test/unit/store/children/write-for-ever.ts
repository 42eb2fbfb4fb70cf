import { systemClock } from "../../../../src/clock.ts";
import { Secret } from "../../../../src/secret.ts";
import { createFileStore } from "../../../support/file-stores.ts";

// Writes the record again and again, to be killed at any moment: write-for-ever.ts PATH KEYS
const [path = "", keys = ""] = process.argv.slice(2);
const store = createFileStore({
  path,
  keys: { kind: "value", secret: new Secret(keys) },
  clock: systemClock,
});
for (let round = 0; ; round += 1) {
  const current = await store.read();
  if (current === undefined) throw new Error("there is no record");
  const { record, version } = current;
  const token = new Secret(`token-${record.generation + 1}-${"x".repeat(40_000)}`);
  await store.write({ ...record, token, generation: record.generation + 1 }, version);
  if (round === 0) process.stdout.write("writing\n");
}
