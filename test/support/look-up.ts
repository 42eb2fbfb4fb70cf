// A program: looks names up by ours and by the system's own look-up. node test/support/look-up.ts NAME…
import { ADDRCONFIG, lookup } from "node:dns";

import { systemClock } from "../../src/clock.ts";
import { createLookup } from "../../src/connect/lookup.ts";
import { systemCode } from "../../src/errors.ts";

/** What both say: addresses in no order, or a code. */
export interface LookedUp {
  readonly name: string;
  readonly ours: readonly string[] | string;
  readonly theirs: readonly string[] | string;
}

const ours = createLookup(systemClock);
const never = new AbortController().signal;
for (const name of process.argv.slice(2)) {
  const answer: LookedUp = {
    name,
    ours: await ours(name, 0, never).then(
      (found) => found.toSorted(),
      (error: unknown) => systemCode(error) ?? "no code",
    ),
    theirs: await new Promise((resolve) => {
      lookup(name, { all: true, family: 0, hints: ADDRCONFIG }, (error, found) =>
        resolve(
          error === null ? [...new Set(found.map(({ address }) => address))].toSorted() : (error.code ?? ""),
        ),
      );
    }),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.stdout.write("done\n");
