import type { Clock } from "../clock.ts";
import type { ConnectEvent } from "../connect/connector.ts";
import { type Egress, type EgressOptions, openEgress } from "../connect/open.ts";
import type { EgressCheck, EgressCheckOptions, EgressEvent } from "../egress-ip/check.ts";
import { type RegistrationOptions, openEgressCheck } from "../egress-ip/open.ts";
import { Problem } from "../errors.ts";
import { random } from "../lib/backoff.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Subscriber } from "../observe/events.ts";
import { createSend, type Send, withEgressGate, withReconnect } from "../upstream/dispatch.ts";
import { createRotatingPool } from "../upstream/pool.ts";

/** All that leaves this process for Presto: the way out, the pool of connections, and the watch over the address we leave from. */
export interface Upstream extends Pick<Egress, "connector" | "describeRoute" | "reload"> {
  readonly check: EgressCheck;
  /** Sends a call once, unless it would leave from an address that is not registered. */
  readonly send: Send;
  /** Ends what is watched. */
  close(): void;
  /** Cuts off all that is under way. */
  destroy(): Promise<void>;
}

export interface UpstreamOptions extends EgressOptions {
  readonly egressCheck: RegistrationOptions;
  readonly probeReference: string;
  /** The longest exchange, milliseconds. */
  readonly timeoutMs: number;
  readonly admission: { readonly maxInFlight: number };
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly emit: Emit<ConnectEvent | EgressEvent | Warning>;
  /** Keeps readiness in step with the address we leave from. */
  readonly latch: EgressCheckOptions["latch"];
}

/** Seconds: the address is looked at about as often while calls are kept back. */
const retryAfter = 15;

/** Keeps the latch that is shown while no resolver answers, and names are served from memory. */
export function keepNamesLatch(latch: EgressCheckOptions["latch"]): Subscriber {
  const hosts = new Set<string>();
  return (event) => {
    if (event.type !== "last-good-addresses") return;
    if (event.serving) hosts.add(event.host);
    else hosts.delete(event.host);
    if (hosts.size === 0) latch.open();
    else latch.close(`No resolver answers for ${[...hosts].join(", ")}; the addresses last good serve.`);
  };
}

/** @throws CommandError `configuration`: a local address that is not this machine's, or a file that can't be used */
export async function openUpstream(
  options: UpstreamOptions,
  { clock, emit, latch }: UpstreamDeps,
): Promise<Upstream> {
  const egress = await openEgress(options, { clock, emit });
  const { connector, connectorTo } = egress;
  const pool = createRotatingPool({
    ...options,
    connector,
    connections: options.admission.maxInFlight,
    clock,
  });
  const check = openEgressCheck({
    ...options,
    connector,
    connectorTo,
    latch: {
      close: latch.close,
      open() {
        // Connections that are kept were made from an unregistered address, and would go on leaving from there.
        pool.rotate();
        latch.open();
      },
    },
    clock,
    random,
    emit,
  });
  return {
    ...egress,
    check,
    send: withEgressGate(withReconnect(createSend({ dispatcher: pool, clock }), clock), {
      gate: check,
      refuse: (detail) => new Problem("egress-not-registered", { detail, retryAfter }),
    }),
    close() {
      check.close();
      egress.close();
    },
    destroy: () => pool.destroy(),
  };
}
