import type { Gateway } from "../connect/proxy-url.ts";
import type { TrustAnchors } from "../connect/tls.ts";
import type { UpstreamFacts } from "./doctor-options.ts";
import type { Tried } from "./tried.ts";
import type { TriedConnection } from "./try-connection.ts";

/** What was found out about the way to Presto. What was not tried is undefined. */
export interface WayOutFacts {
  readonly upstream: UpstreamFacts;
  /** Undefined: PRESTO_EGRESS_ADDRESS is not set. */
  readonly localAddress: Tried<void> | undefined;
  /** Undefined: there is no egress proxy. */
  readonly gateway: Tried<Gateway> | undefined;
  readonly anchors: Tried<TrustAnchors>;
  /** Undefined: it is a literal address, or resolved by the egress proxy. */
  readonly addresses: Tried<readonly string[]> | undefined;
  /** Undefined where the local address, the egress proxy, or the CAs to judge the latter by can't be used. */
  readonly connection: Tried<TriedConnection> | undefined;
}
