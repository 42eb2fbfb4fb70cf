import type { Clock } from "../clock.ts";
import type { ConnectEvent } from "../connect/connector.ts";
import { type Egress, type EgressOptions, openEgress } from "../connect/open.ts";
import { askedUrls, type RegistrationOptions } from "../egress-ip/open.ts";
import { random } from "../lib/async.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { IssuingOptions } from "../renewal/types.ts";
import { openStore, type StoreOptions } from "../store/open.ts";
import { createConnections, createPoolOpener, type UnaskedBytes } from "../upstream/connections.ts";
import { openIssuing, readCredentials } from "./issuing.ts";
import { questionTurns, type SidecarDeps } from "./sidecar.ts";

export interface PartsOptions extends EgressOptions {
  /** The longest exchange with Presto, milliseconds. */
  readonly timeoutMs: number;
  /** As many connections as calls may be in flight. */
  readonly limits: { readonly maxInFlight: number };
  readonly egressCheck: RegistrationOptions;
  readonly store: StoreOptions;
  /** Undefined in a role that issues nothing. */
  readonly issuing: IssuingOptions | undefined;
}

export interface PartsDeps {
  readonly clock: Clock;
  readonly emit: Emit<ConnectEvent | UnaskedBytes | Warning>;
}

/** The parts that a sidecar is composed of, over the real network, files and randomness. */
export interface Parts extends Omit<SidecarDeps, "emit">, Pick<Egress, "describeRoute" | "reload"> {
  /** Ends what is watched, and gives back what is held at the store's server. */
  close(): Promise<void>;
  /** Cuts off all that is under way. */
  destroy(): Promise<void>;
}

/**
 * @throws CommandError `configuration`: a local address that is not this machine's, a file that can't be used, or
 *   credentials that are there and can't be read; `refused` for a role that issues over a store that can't be written
 */
export async function openParts(options: PartsOptions, { clock, emit }: PartsDeps): Promise<Parts> {
  const { origin, timeoutMs, limits } = options;
  const egress = await openEgress(options, { clock, emit });
  const { connector, connectorTo } = egress;
  const store = await openStore(options.store, { clock, emit });
  const dispatcher = createConnections({
    origin,
    connector,
    // Questions of our own have theirs.
    connections: limits.maxInFlight + questionTurns(limits.maxInFlight),
    timeoutMs,
    clock,
    emit,
  });
  const openPool = createPoolOpener({ origin, connector, timeoutMs, clock });
  const account = options.issuing?.credentials;
  const issuing =
    account && (await openIssuing(account, { store, storeOptions: options.store, openPool, clock }));
  if (issuing !== undefined && account !== undefined)
    await readCredentials(issuing.credentials, account, emit);
  return {
    store,
    dispatcher,
    openPool,
    checkUrls: askedUrls(options.egressCheck.urls, { connectorTo, clock }),
    issuing,
    clock,
    random,
    describeRoute: egress.describeRoute,
    reload: egress.reload,
    async close() {
      await Promise.all([issuing?.credentials.logOut?.(), store.logOut?.()]);
      issuing?.close();
      store.close();
      egress.close();
    },
    destroy: () => dispatcher.destroy(),
  };
}
