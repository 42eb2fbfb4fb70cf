import { createServer } from "node:net";
import { createSecureContext } from "node:tls";

import { expect, it, onTestFinished } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createConnector } from "../../../src/connect/connector.ts";
import { createResolver } from "../../../src/connect/resolver.ts";
import { createRoute } from "../../../src/connect/route.ts";
import { ignore } from "../../../src/lib/events.ts";
import { startRawPresto } from "../../support/raw-presto.ts";
import { connectBy, failureOf } from "../../support/way-out.ts";

it("an address that accepts, and then has no TLS, is tried last from then on", async () => {
  const presto = await startRawPresto();
  onTestFinished(() => presto.close());
  const { port } = presto;
  const met: number[] = [];
  const broken = createServer((socket) => {
    met.push(Date.now());
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    broken.listen(port, "127.0.0.9", resolve);
  });
  onTestFinished(() => void broken.close());
  const clock = systemClock;
  const context = createSecureContext({ ca: presto.authority.certPem });
  const resolver = createResolver({
    lookup: () => Promise.resolve(["127.0.0.9", "127.0.0.1"]),
    clock,
    emit: ignore,
  });
  const connector = createConnector({
    origin: { url: presto.url, host: "localhost", port },
    pins: [],
    anchors: { context: () => context },
    resolver,
    route: createRoute({
      localAddress: undefined,
      proxy: () => undefined,
      context: () => context,
      resolver,
      clock,
    }),
    timeoutMs: 5_000,
    clock,
    emit: ignore,
  });
  expect((await failureOf(connector)).proxyStatus).toBe("connection_terminated");
  for (let count = 0; count < 3; count += 1) {
    expect((await connectBy(connector)).remoteAddress).toBe("127.0.0.1");
  }
  expect(met).toHaveLength(1);
});
