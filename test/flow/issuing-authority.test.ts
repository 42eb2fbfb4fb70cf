import { describe, expect, it, onTestFinished } from "vitest";

import { createChain } from "../support/certificate-chain.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { connectBy, failureOf, openWay } from "../support/way-out.ts";

/** A server with a certificate of an intermediate; it may leave that out. */
async function openWayTo(shown: "leaf" | "chain", trusted: "root" | "intermediate") {
  const { rootPem, intermediatePem, leaf } = await createChain();
  const certPem = shown === "leaf" ? leaf.certPem : leaf.certPem + intermediatePem;
  const presto = await startRawPresto({ certificate: { ...leaf, certPem } });
  onTestFinished(() => presto.close());
  const { connector } = await openWay({
    port: presto.port,
    caPem: trusted === "root" ? rootPem : intermediatePem,
  });
  return connector;
}

describe("the CA that issued Presto's certificate", () => {
  it.each(["leaf", "chain"] as const)(
    "is enough of an anchor, whatever the server shows (%s)",
    async (shown) => {
      const socket = await connectBy(await openWayTo(shown, "intermediate"));
      expect(socket.authorized).toBe(true);
    },
  );

  it("is not made up where it is missing", async () => {
    expect((await connectBy(await openWayTo("chain", "root"))).authorized).toBe(true);
    expect(await failureOf(await openWayTo("leaf", "root"))).toMatchObject({ kind: "untrusted" });
  });
});
