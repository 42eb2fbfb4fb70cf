import type { StoreConfig } from "../config/load.ts";
import type { UpstreamConfig } from "../config/sections.ts";
import { openEgress } from "../connect/open.ts";
import { ignore } from "../lib/events.ts";
import { describeError } from "../observe/describe-error.ts";
import { createAsk, createProbe, plainVerdict, type ProbeVerdict } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import { createPoolOpener } from "../upstream/connections.ts";
import type { OpenPool } from "../upstream/request-once.ts";
import type { Io } from "./command.ts";

/**
 * Lets a command call Presto: each call of its own over a connection for it alone, by the egress that is configured.
 * @throws CommandError `configuration` if the CA file, the egress proxy's or the local address can't be used
 */
export async function withUpstream<T>(
  upstream: UpstreamConfig,
  io: Io,
  work: (openPool: OpenPool) => Promise<T>,
): Promise<T> {
  const { origin, timeoutMs } = upstream;
  const egress = await openEgress(upstream, { clock: io.clock, emit: ignore });
  try {
    return await work(createPoolOpener({ origin, connector: egress.connector, timeoutMs, clock: io.clock }));
  } finally {
    egress.close();
  }
}

/**
 * Asks Presto whether a token lives: one or two harmless GETs.
 * @returns undefined where PRESTO_URL is not set
 */
export async function probeToken(
  { upstream }: Pick<StoreConfig, "upstream">,
  token: Secret,
  io: Io,
): Promise<ProbeVerdict | undefined> {
  if (upstream === undefined) return undefined;
  return withUpstream(upstream, io, (openPool) => {
    const ask = createAsk({ ...upstream.probe, openPool, clock: io.clock });
    return createProbe({ ask, clock: io.clock })(token).then(plainVerdict);
  });
}

/** ` Reason: …` for the end of a message, where a cause may be told; else nothing. */
export function reasonOf(cause: unknown): string {
  const { message } = describeError(cause);
  if (message === undefined || message === "") return "";
  return ` Reason: ${message}${message.endsWith(".") ? "" : "."}`;
}
