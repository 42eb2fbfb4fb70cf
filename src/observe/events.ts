import type { AuditEvent } from "../audit/types.ts";
import type { ConnectEvent } from "../connect/connector.ts";
import type { EgressEvent } from "../egress-ip/check.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { MoneyEvent } from "../money/events.ts";
import type { RenewalEvent } from "../renewal/types.ts";
import type { TokenEvent } from "../token/source.ts";
import type { CallFinished } from "../upstream/call.ts";
import type { CircuitChanged } from "../upstream/circuit.ts";
import type { UnaskedBytes } from "../upstream/connections.ts";

/**
 * What the program tells of itself: all that its parts emit. One more listener (an audit, traces) is
 * one more subscriber, which looks at the events that it wants.
 */
export type Event =
  | CallFinished
  | TokenEvent
  | ConnectEvent
  | RenewalEvent
  | EgressEvent
  | MoneyEvent
  | CircuitChanged
  | UnaskedBytes
  | AuditEvent
  | LatchChanged
  | ConnectionRefused
  | Warning;

/** A readiness latch opened (`reason` undefined) or closed. `admin`, which emits it, stands above this folder. */
export interface LatchChanged {
  readonly type: "latch-changed";
  readonly name: string;
  readonly reason: string | undefined;
  /** Is the sidecar ready now? */
  readonly ready: boolean;
}

/** A caller's connection was closed at once: as many are open as may be. `inbound`, which emits it, stands above this folder. */
export interface ConnectionRefused {
  readonly type: "connection-refused";
  /** How many may be open. */
  readonly most: number;
}

export type Subscriber = (event: Event) => void;

/**
 * Tells each event to all subscribers, in this order. One that throws hurts neither the call that
 * it was told of nor the other subscribers: they are warned, once for each subscriber that fails.
 */
export function createEvents(...subscribers: readonly Subscriber[]): Emit<Event> {
  const broken = new Set<Subscriber>();

  function tell(event: Event, except?: Subscriber): void {
    for (const subscriber of subscribers) {
      if (subscriber === except) continue;
      try {
        subscriber(event);
      } catch (cause) {
        if (broken.has(subscriber)) continue;
        broken.add(subscriber);
        const message = "A part that logs or counts failed; its figures are no longer complete.";
        tell({ type: "warning", message, cause }, subscriber);
      }
    }
  }

  return (event) => tell(event);
}
