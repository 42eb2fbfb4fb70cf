import type { Egress } from "../connect/open.ts";
import type { CheckAnswer } from "../egress-ip/check-url.ts";
import { askedUrls, type RegistrationOptions } from "../egress-ip/open.ts";
import { createAsk, createProbe } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import { createPoolOpener } from "../upstream/connections.ts";
import type { OwnPool } from "../upstream/request-once.ts";
import { probeUnauthenticated, type ProbeResult, type ReachedResult, wasLetIn } from "./check-presto.ts";
import {
  dial,
  type DialOptions,
  isTrusted,
  openRoute,
  readRouteParts,
  resolveAlone,
  type RouteResult,
} from "./dial.ts";
import { attempt, type Attempted } from "./finding.ts";

export interface ProbeUpstreamOptions extends DialOptions {
  readonly urls: RegistrationOptions["urls"];
  /** The stored one, once it was read. */
  readonly token: Promise<Secret | undefined>;
}

/** All that was heard from outside this machine. */
export interface UpstreamResult {
  readonly route: RouteResult;
  readonly reached: ReachedResult;
  readonly probed: ProbeResult;
  /** Undefined where there is no egress to ask by. */
  readonly seenFrom: Attempted<readonly CheckAnswer[]> | undefined;
}

/** Asks everybody outside: at the same time, unless one answer is needed for the next question. Never rejects. */
export async function probeUpstream(options: ProbeUpstreamOptions): Promise<UpstreamResult> {
  const { upstream } = options;
  const parts = await readRouteParts(options);
  const opened = await openRoute(parts, options);
  if (opened?.kind !== "done") {
    const addresses = await resolveAlone(options);
    const route = { ...parts, upstream, connection: opened, addresses };
    return { route, reached: undefined, probed: undefined, seenFrom: undefined };
  }
  const egress = opened.value;
  try {
    const checkUrls = parts.anchors.kind === "done" ? requestCheckUrls(egress, options) : undefined;
    const dialled = await dial(egress, parts, options);
    const asked = isTrusted(dialled.connection, upstream.trust.pins)
      ? await probePresto(egress, options)
      : { reached: undefined, probed: undefined };
    return { route: { ...parts, upstream, ...dialled }, ...asked, seenFrom: await checkUrls };
  } finally {
    egress.close();
  }
}

function requestCheckUrls(
  { connectorTo }: Egress,
  { urls, clock, stop }: ProbeUpstreamOptions,
): Promise<UpstreamResult["seenFrom"]> {
  return attempt(stop, () => Promise.all(askedUrls(urls, { connectorTo, clock }).map(({ ask }) => ask())));
}

/** First without the token, which is shown to nobody but Presto's own application. */
async function probePresto(
  { connector }: Egress,
  { upstream, token, clock, stop }: ProbeUpstreamOptions,
): Promise<Pick<UpstreamResult, "reached" | "probed">> {
  const { origin, timeoutMs, probe } = upstream;
  const open = new Set<OwnPool>();
  let over = false;
  const openAnother = createPoolOpener({ origin, connector, timeoutMs, clock });
  const openPool = (): OwnPool => {
    if (over) throw new Error("time is over");
    const connection = openAnother();
    open.add(connection);
    return connection;
  };
  try {
    const reached = await attempt(stop, () => probeUnauthenticated({ ...probe, openPool, clock, stop }));
    const stored = wasLetIn(reached) ? await token : undefined;
    if (stored === undefined) return { reached, probed: undefined };
    const ask = createAsk({ ...probe, openPool, clock });
    return { reached, probed: await attempt(stop, () => createProbe({ ask, clock })(stored)) };
  } finally {
    over = true;
    // A question that is still under way when time is over is given up.
    await Promise.all([...open].map((connection) => connection.destroy()));
  }
}
