/**
 * Renewal under load, by the built program: 64 callers, and a renewal every second for 30 s, asked for and then by
 * the clock. Prints what the renewals cost the callers; ends with 1 if any call failed. `--seconds N` for another time.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { startBuilt } from "../support/built-sidecar.ts";
import { createIssuingBench } from "../support/issuing-bench.ts";
import { formatLoad, loadWhileRenewed } from "../support/renewal-load.ts";
import { busyPart } from "./child.ts";

async function main(seconds: number): Promise<number> {
  const busy = await busyPart();
  process.stdout.write(`Others keep ${Math.round(busy * 100)} % of this machine busy.\n`);
  let failures = 0;
  for (const how of ["asked", "due"] as const) {
    const bench = await createIssuingBench();
    try {
      // In a process of its own: the callers and Presto have this one.
      const startWith = startBuilt();
      const outcome = await loadWhileRenewed(bench, { how, seconds, callers: 64, startWith });
      process.stdout.write(formatLoad(outcome.figures));
      process.stdout.write(
        `  ${outcome.failed.length} calls failed; ${bench.issues()} issue calls were made.\n`,
      );
      failures += outcome.failed.length + Math.abs(bench.issues() - outcome.renewals);
    } finally {
      await bench.close();
    }
  }
  return failures === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { seconds: { type: "string", default: "30" } } });
  process.exitCode = await main(Number(values.seconds));
}
