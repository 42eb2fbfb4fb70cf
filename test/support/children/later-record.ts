import { readFileSync, writeFileSync } from "node:fs";

import { Secret } from "../../../src/secret.ts";
import { open, parseStoreKeys, seal } from "../../../src/store/seal.ts";

// Writes the sealed record anew as a later version would: another schema, and whatever else that has.
// Usage: node later-record.ts RECORD KEY_FILE

const [record = "", keyFile = ""] = process.argv.slice(2);
const keys = parseStoreKeys(new Secret(readFileSync(keyFile, "utf8").trim()));
const { plaintext } = open(readFileSync(record, "latin1"), keys, { holds: "token", where: record });
const later = {
  ...Object(JSON.parse(Buffer.from(plaintext).toString("utf8"))),
  schema: 2,
  scopes: ["wallet"],
};
writeFileSync(record, seal(Buffer.from(JSON.stringify(later)), "token", 2, keys), { mode: 0o600 });
