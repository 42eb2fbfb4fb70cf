import { systemClock } from "../../../../src/clock.ts";
import { Secret } from "../../../../src/secret.ts";
import { createFileCredentials } from "../../../support/file-stores.ts";

// Adds a letter to the password COUNT times by compare-and-set: add-to-password.ts PATH KEYS COUNT
const [path = "", keys = "", count = "0"] = process.argv.slice(2);
const store = createFileCredentials({
  path,
  keys: { kind: "value", secret: new Secret(keys) },
  clock: systemClock,
});
let done = 0;
while (done < Number(count)) {
  const current = await store.read();
  if (current === undefined) throw new Error("there are no credentials");
  const { credentials, version } = current;
  const password = new Secret(`${credentials.password.reveal()}x`);
  const result = await store.write({ ...credentials, password }, version);
  if (result.outcome === "written") done += 1;
}
