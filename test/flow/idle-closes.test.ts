import { expect, it, onTestFinished } from "vitest";

import { meetCloses } from "../support/idle-closes.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { openWay } from "../support/way-out.ts";

// `npm run idle-closes` does the same a thousand times for servers that close after 2, 5, 15 and 60 s.

it("no money call is unknown because its connection was about to be closed, once the server has shown when", async () => {
  const presto = await startRawPresto();
  onTestFinished(() => presto.close());
  const { connector } = await openWay({ port: presto.port, caPem: presto.authority.certPem });
  const ends = await meetCloses({ presto, connector, idleMs: 2_000, sidecars: 25, rounds: 3 });
  expect(ends).toMatchObject({ answered: 75, notSent: 0, unknown: 0 });
});
