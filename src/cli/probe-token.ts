import type { StoreConfig } from "../config/load-store-config.ts";
import { createConnector } from "../egress/connect.ts";
import { createPool } from "../egress/pool.ts";
import { noSignals } from "../observe/no-signals.ts";
import { createAsk } from "../presto/ask-with-token.ts";
import { createProbe } from "../presto/probe.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import type { Io } from "./command.ts";

/** A transaction that no institution has. */
const madeUpReference = "TRX000000000";

/** Asks Presto whether a token lives: one or two harmless GETs. */
export async function probeToken(
  upstream: NonNullable<StoreConfig["upstream"]>,
  token: Secret,
  io: Io,
): Promise<ProbeVerdict> {
  const { origin, trust, connectTimeoutMs, timeoutMs } = upstream;
  const connector = createConnector({
    origin,
    trust,
    timeoutMs: connectTimeoutMs,
    clock: io.clock,
    signals: noSignals,
  });
  const ask = createAsk({
    openPool: () => createPool({ origin, connector, connections: 1, timeoutMs }),
    reference: madeUpReference,
    timeoutMs,
    clock: io.clock,
  });
  return createProbe({ ask, clock: io.clock })(token);
}
