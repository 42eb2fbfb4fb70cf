import type { StoreConfig } from "../config/load.ts";
import { createAsk, createProbe, type ProbeVerdict } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import type { Io } from "./command.ts";
import { withUpstream } from "./upstream-pool.ts";

/**
 * Asks Presto whether a token lives: one or two harmless GETs.
 * @returns undefined where PRESTO_URL is not set
 */
export async function probeToken(
  config: Pick<StoreConfig, "upstream" | "probeReference">,
  token: Secret,
  io: Io,
): Promise<ProbeVerdict | undefined> {
  const { upstream, probeReference: reference } = config;
  if (upstream === undefined) return undefined;
  return withUpstream(upstream, io, (openPool) => {
    const ask = createAsk({ openPool, reference, timeoutMs: upstream.timeoutMs, clock: io.clock });
    return createProbe({ ask, clock: io.clock })(token);
  });
}
