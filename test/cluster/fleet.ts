/**
 * `npm run fleet -- --store kubernetes --minutes 4 --seed 1`: three proxies and two rotators of the
 * built program over a real API server, or a real OpenBao of three nodes, with 64 callers and a renewal
 * every five seconds; a quarter of the time in peace, the rest under faults. What is promised, and what
 * came of it: docs/renewal.md.
 */
import { parseArgs } from "node:util";

import { openKubePlace } from "./fleet/kube-place.ts";
import type { FleetPlace } from "./fleet/place.ts";
import { reportOf } from "./fleet/report.ts";
import { runFleet } from "./fleet/run.ts";
import { openVaultPlace } from "./fleet/vault-place.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "kubernetes" },
    minutes: { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
    callers: { type: "string", default: "64" },
    "longest-call-ms": { type: "string", default: "3000" },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} wants a whole number from 1 on, not "${text}".`);
}

function open(store: string): Promise<FleetPlace> {
  if (store === "kubernetes") return openKubePlace();
  if (store === "vault") return openVaultPlace();
  throw new Error(`--store is kubernetes or vault, not "${store}".`);
}

// What was started ends with this process, however that ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const ms = whole("minutes", values.minutes) * 60_000;
const place = await open(values.store);
try {
  const story = await runFleet(place, {
    seed: whole("seed", values.seed),
    peaceMs: ms / 4,
    strikesMs: (ms * 3) / 4,
    callers: whole("callers", values.callers),
    renewEveryMs: 5_000,
    longestCallMs: whole("longest-call-ms", values["longest-call-ms"]),
    tell: (line) => void process.stderr.write(`${new Date().toISOString()} ${line}\n`),
  });
  process.stdout.write(reportOf(story));
  for (const problem of story.problems) process.stdout.write(`NOT AS PROMISED: ${problem}\n`);
  process.exitCode = story.problems.length === 0 ? 0 : 1;
} finally {
  await place.close();
}
