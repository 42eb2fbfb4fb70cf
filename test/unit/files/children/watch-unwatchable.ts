import { watch } from "node:fs";
import { dirname } from "node:path";

import { systemClock } from "../../../../src/clock.ts";
import { createWatchedFile } from "../../../../src/files/watch.ts";

// Watches a file in a folder that this user can't watch, until told once: watch-unwatchable.ts PATH USER
const [path = "", user = "-"] = process.argv.slice(2);
if (user !== "-") process.setuid?.(Number(user));
try {
  watch(dirname(path)).close();
  process.stdout.write("allowed\n");
} catch (error) {
  const code = error instanceof Error && "code" in error ? error.code : "none";
  process.stdout.write(`refused: ${String(code)}\n`);
}
const ended = new AbortController();
const watched = createWatchedFile({
  path,
  clock: systemClock,
  pollMs: 20,
  onChange() {
    process.stdout.write("told\n");
    watched.close();
    ended.abort();
  },
});
process.stdout.write("watching\n");
await systemClock.sleep(30_000, ended.signal).catch(() => undefined);
