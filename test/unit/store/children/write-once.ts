import { systemClock } from "../../../../src/clock.ts";
import { Secret } from "../../../../src/secret.ts";
import { createFileStore } from "../../../support/file-stores.ts";

// Writes one record over the one that is there, as another user where USER is not "-", and
// tells how it ended: write-once.ts PATH KEYS USER
const [path = "", keys = "", user = "-"] = process.argv.slice(2);
if (user !== "-") process.setuid?.(Number(user));
const store = createFileStore({
  path,
  keys: { kind: "value", secret: new Secret(keys) },
  clock: systemClock,
});
try {
  const current = await store.read();
  if (current === undefined) throw new Error("there is no record");
  const { record, version } = current;
  const token = new Secret("x".repeat(20_000));
  const result = await store.write({ ...record, token, generation: record.generation + 1 }, version);
  process.stdout.write(JSON.stringify({ outcome: result.outcome }));
} catch (error) {
  const code = error instanceof Error && "code" in error ? error.code : "none";
  const message = error instanceof Error ? error.message : "";
  process.stdout.write(JSON.stringify({ outcome: "threw", code, message }));
}
