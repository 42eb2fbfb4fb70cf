import { expect, it } from "vitest";

import { startHeldPresto } from "../support/held-presto.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import { confirmCall } from "../support/wallet-call.ts";

it("the caller of what is cut off at DRAIN_MAX is told what is known of it", async () => {
  const presto = await startHeldPresto();
  const side = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_DRAIN_MAX: "2s" },
  });
  try {
    const caller = await openRawCaller(side);
    caller.send(confirmCall("A"));
    await presto.holds(1);
    const drained = side.app.drain();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 504, headers: { "presto-outcome": "unknown" } });
    expect(await drained).toBe("cut-off");
    caller.close();
  } finally {
    await side.close();
    await presto.close();
  }
});
