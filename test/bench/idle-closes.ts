/**
 * `npm run idle-closes`: money calls at the very moment at which the server closes their
 * connections, a thousand for each idle time. Any that is unknown is one too many.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { systemClock } from "../../src/clock.ts";
import { openEgress } from "../../src/connect/open.ts";
import { ignore } from "../../src/lib/events.ts";
import { meetCloses } from "../support/idle-closes.ts";
import { startRawPresto } from "../support/raw-presto.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "2,5,15,60" },
    sidecars: { type: "string", default: "250" },
    rounds: { type: "string", default: "4" },
  },
});
const sidecars = Number(values.sidecars);
const rounds = Number(values.rounds);
const folder = mkdtempSync(join(tmpdir(), "presto-idle-closes-"));
let unknown = 0;
try {
  for (const seconds of values.seconds.split(",").map(Number)) {
    const presto = await startRawPresto();
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, presto.authority.certPem);
    const egress = await openEgress(
      {
        origin: { url: presto.url, host: "localhost", port: presto.port },
        trust: { caFile, caOnly: true, pins: [] },
        connectTimeoutMs: 20_000,
      },
      { clock: systemClock, emit: ignore },
    );
    const { connector } = egress;
    const ends = await meetCloses({ presto, connector, idleMs: seconds * 1_000, sidecars, rounds });
    unknown += ends.unknown;
    process.stdout.write(
      `closes after ${seconds} s: ${ends.answered} answered, ${ends.notSent} not sent, ${ends.unknown} unknown; ${ends.reused} without a handshake\n`,
    );
    egress.close();
    await presto.close();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(unknown === 0 ? 0 : 1);
