import type { Clock } from "../clock.ts";
import { createWatchedFile } from "../files/watch.ts";
import { type Emit, ignore, type Warning } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import { type ConnectEvent, type Connector, createConnector } from "./connector.ts";
import { ensureLocalAddress } from "./local-address.ts";
import { createLookup } from "./lookup.ts";
import { type ProxySource, readProxy } from "./proxy-url.ts";
import { createResolver } from "./resolver.ts";
import { createRoute } from "./route.ts";
import { openTrustAnchors, type Trust, watchTrust } from "./trust.ts";

/** How this process is told to leave its machine. */
export interface EgressRoute {
  /** Address of this machine (PRESTO_EGRESS_ADDRESS); undefined: as the system chooses. */
  readonly localAddress: string | undefined;
  /** Egress proxy (PRESTO_EGRESS_PROXY); undefined: straight. */
  readonly proxy: ProxySource | undefined;
}

export interface EgressOptions {
  readonly origin: Origin;
  readonly trust: Trust;
  /** Undefined: straight, from the address that the system chooses. */
  readonly egress?: EgressRoute | undefined;
  /** Everything until TLS is up, milliseconds. */
  readonly connectTimeoutMs: number;
}

/** All connections that leave this process are made here. */
export interface Egress {
  /** To Presto. */
  readonly connector: Connector;
  /** To another server, the same way and with the same CAs, but without pins. It tells nothing of Presto. */
  connectorTo(origin: Origin): Connector;
  /** For people: `direct`, or `http://proxy.example:3128 from 10.0.0.2`, without user and password. */
  describeRoute(): string;
  /**
   * Reads the CA file and the egress proxy's file again. Connections that are up stay.
   * @throws CommandError `configuration` if one can't be used; what was in use stays in use
   */
  reload(): Promise<void>;
  /** Ends the watching of files, and of names. Connections that are up stay. */
  close(): void;
}

/**
 * Makes ready to leave this machine: reads what has to be read, and follows the files' changes.
 * @throws CommandError `configuration`: a local address that this machine does not have, a CA file or egress proxy's file that can't be used
 */
export async function openEgress(
  options: EgressOptions,
  { clock, emit }: { readonly clock: Clock; readonly emit: Emit<ConnectEvent | Warning> },
): Promise<Egress> {
  const { origin, trust, egress: configured, connectTimeoutMs: timeoutMs } = options;
  const { localAddress, proxy: source } = configured ?? { localAddress: undefined, proxy: undefined };
  const anchors = await openTrustAnchors(trust);
  if (localAddress !== undefined) await ensureLocalAddress(localAddress);
  let proxy = source === undefined ? undefined : await readProxy(source);
  const resolver = createResolver({ lookup: createLookup(clock), clock, emit });
  const route = createRoute({
    localAddress,
    proxy: () => proxy,
    context: anchors.context,
    resolver,
    clock,
  });
  const connector = createConnector({
    origin,
    pins: trust.pins,
    anchors,
    route,
    resolver,
    timeoutMs,
    clock,
    emit,
  });
  const trustWatch = watchTrust({ anchors, trust, clock, emit });
  const proxyWatch =
    source?.kind !== "file"
      ? undefined
      : createWatchedFile({ path: source.path, clock, onChange: () => void followProxy() });

  async function reloadProxy(): Promise<void> {
    if (source !== undefined) proxy = await readProxy(source);
  }

  async function followProxy(): Promise<void> {
    try {
      await reloadProxy();
    } catch (cause) {
      emit({
        type: "warning",
        message:
          "The egress proxy's file has changed and can't be used; the proxy that was in use stays in use.",
        cause,
      });
    }
  }

  return {
    connector,
    connectorTo: (other) =>
      createConnector({
        origin: other,
        pins: [],
        anchors,
        route,
        resolver,
        timeoutMs,
        clock,
        emit: ignore,
      }),
    describeRoute: () => route.describe(),
    async reload() {
      const ends = await Promise.allSettled([anchors.reload(), reloadProxy()]);
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
    close() {
      resolver.close();
      trustWatch.close();
      proxyWatch?.close();
    },
  };
}
