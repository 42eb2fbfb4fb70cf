import type { Dispatcher } from "undici";

import type { Egress } from "../connect/open.ts";
import type { CheckAnswer } from "../egress-ip/check-url.ts";
import { askedUrls, type EgressCheckSettings } from "../egress-ip/open.ts";
import { createAsk, createProbe } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import { createPool } from "../upstream/pool.ts";
import { askPresto, type ReachedResult, type ProbeResult, wasLetIn } from "./check-presto.ts";
import {
  isTrusted,
  dialThrough,
  readDialDeps,
  tryName,
  dialRoute,
  type DialOptions,
  type RouteFacts,
} from "./dial.ts";
import { type Attempted, attempt } from "./finding.ts";

export interface AskUpstreamOptions extends DialOptions {
  /** Made-up transaction reference. */
  readonly reference: string;
  readonly urls: EgressCheckSettings["urls"];
  /** The stored one, once it was read. */
  readonly token: Promise<Secret | undefined>;
}

/** All that was heard from outside this machine. */
export interface UpstreamAnswers {
  readonly way: RouteFacts;
  readonly door: ReachedResult;
  readonly probed: ProbeResult;
  /** Undefined where there is no way out to ask by. */
  readonly seenFrom: Attempted<readonly CheckAnswer[]> | undefined;
}

/** Asks everybody outside: at the same time, unless one answer is needed for the next question. Never rejects. */
export async function askUpstream(options: AskUpstreamOptions): Promise<UpstreamAnswers> {
  const { upstream } = options;
  const resolving = tryName(options);
  const parts = await readDialDeps(options);
  const egress = await dialThrough(parts, options);
  try {
    const askingUrls = askCheckUrls(egress, options);
    const connection = await dialRoute(parts, options);
    const asked =
      egress !== undefined && isTrusted(connection, upstream.trust.pins)
        ? await askDoor(egress, options)
        : { door: undefined, probed: undefined };
    return {
      way: { ...parts, upstream, connection, addresses: await resolving },
      ...asked,
      seenFrom: await askingUrls,
    };
  } finally {
    egress?.close();
  }
}

async function askCheckUrls(
  egress: Egress | undefined,
  { urls, clock, stop }: AskUpstreamOptions,
): Promise<UpstreamAnswers["seenFrom"]> {
  if (egress === undefined) return undefined;
  const { connectorTo } = egress;
  return attempt(stop, () => Promise.all(askedUrls(urls, { connectorTo, clock }).map(({ ask }) => ask())));
}

/** First without the token, which is shown to nobody but Presto's own application. */
async function askDoor(
  { connector }: Egress,
  { upstream, reference, token, clock, stop }: AskUpstreamOptions,
): Promise<Pick<UpstreamAnswers, "door" | "probed">> {
  const { origin, timeoutMs } = upstream;
  const open = new Set<Dispatcher>();
  let over = false;
  const openPool = (): Dispatcher => {
    if (over) throw new Error("time is over");
    const pool = createPool({ origin, connector, connections: 1, timeoutMs });
    open.add(pool);
    return pool;
  };
  try {
    const door = await attempt(stop, () => askPresto({ openPool, reference, timeoutMs, clock, stop }));
    const stored = wasLetIn(door) ? await token : undefined;
    if (stored === undefined) return { door, probed: undefined };
    const ask = createAsk({ openPool, reference, timeoutMs, clock });
    return { door, probed: await attempt(stop, () => createProbe({ ask, clock })(stored)) };
  } finally {
    over = true;
    // A question that is still under way when time is over is given up.
    await Promise.all([...open].map((pool) => pool.destroy()));
  }
}
