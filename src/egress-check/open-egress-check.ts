import type { Clock } from "../clock.ts";
import type { Connector } from "../connect/connector.ts";
import type { Origin } from "../lib/host.ts";
import type { Network } from "../lib/ip.ts";
import type { EgressSignals } from "../observe/signals.ts";
import { createPool } from "../upstream/pool.ts";
import { createAskAddress } from "./ask-address.ts";
import type { CheckUrl } from "./check-url.ts";
import {
  type AskedUrl,
  createEgressCheck,
  type EgressCheck,
  type EgressCheckOptions,
} from "./egress-check.ts";
import { createKnock } from "./knock.ts";

/** What is configured. */
export interface EgressCheckSettings {
  /** Addresses that are registered with Presto (PRESTO_EGRESS_IPS). */
  readonly registered: readonly Network[];
  /** Who is asked (PRESTO_EGRESS_CHECK_URL). */
  readonly urls: readonly CheckUrl[];
}

export interface OpenEgressCheckOptions {
  readonly egressCheck: EgressCheckSettings;
  readonly origin: Origin;
  /** Made-up transaction reference. */
  readonly probeReference: string;
  /** To Presto. */
  readonly connector: Connector;
  /** To a check URL's server: the same way out, the same CAs, no pins. */
  readonly connectorTo: (origin: Origin) => Connector;
  readonly latch: EgressCheckOptions["latch"];
  readonly clock: Clock;
  readonly random: () => number;
  readonly signals: EgressSignals;
}

/** Milliseconds for a question to a check URL, and for a knock at Presto's door. */
const askMs = 5_000;

/** The check over real connections. Nothing is asked before `start`. */
export function openEgressCheck(options: OpenEgressCheckOptions): EgressCheck {
  const { egressCheck, origin, probeReference, connector, clock } = options;
  return createEgressCheck({
    ...options,
    registered: egressCheck.registered,
    urls: askedUrls(egressCheck.urls, options),
    knock: createKnock({
      openPool: () => createPool({ origin, connector, connections: 1, timeoutMs: askMs }),
      reference: probeReference,
      timeoutMs: askMs,
      clock,
    }),
  });
}

/** The check URLs, ready to be asked: for whoever asks them once, as well. */
export function askedUrls(
  urls: readonly CheckUrl[],
  { connectorTo, clock }: Pick<OpenEgressCheckOptions, "connectorTo" | "clock">,
): AskedUrl[] {
  return urls.map(({ origin, target, name }) => {
    const connector = connectorTo(origin);
    const openPool = () => createPool({ origin, connector, connections: 1, timeoutMs: askMs });
    return { name, ask: createAskAddress({ name, target, openPool, timeoutMs: askMs, clock }) };
  });
}
