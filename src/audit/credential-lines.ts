import type { EgressEvent } from "../egress-ip/check.ts";
import type { RenewalEvent } from "../renewal/types.ts";
import type { Entry } from "./line.ts";

// What the record holds of the token, the account and the alarms: what a person or this program did, never a secret.

/** Events that may have a line; the others of the program have none. */
type RecordedEvent = RenewalEvent | Extract<EgressEvent, { readonly type: "egress-latch-changed" }>;

const recordedTypes: ReadonlySet<string> = new Set<RecordedEvent["type"]>([
  "issue-begun",
  "issue-ended",
  "renewal-ended",
  "unexplained-death",
  "alarm-changed",
  "clock-alarm-changed",
  "egress-latch-changed",
]);

function isRecorded(event: RecordedEvent | { readonly type: string }): event is RecordedEvent {
  return recordedTypes.has(event.type);
}

/** The line of an event; undefined where it has none. */
export function entryOf(event: RecordedEvent | { readonly type: string }): Entry | undefined {
  return isRecorded(event) ? lineOf(event) : undefined;
}

function lineOf(event: RecordedEvent): Entry | undefined {
  switch (event.type) {
    case "issue-begun":
      return { type: "issue-begun", intent: event.intent, reason: event.reason };
    case "issue-ended":
      return { type: "issue-ended", intent: event.intent, end: event.end, ms: Math.round(event.ms) };
    case "renewal-ended": {
      const { end } = event;
      if (end.kind !== "renewed") return undefined;
      return {
        type: "token-stored",
        generation: end.generation,
        token_id: end.tokenId,
        expires_at: end.expiresAt?.toISOString() ?? null,
      };
    }
    case "unexplained-death":
      return {
        type: "alarm",
        alarm: "unexplained-death",
        generation: event.generation,
        token_id: event.id,
        deaths_24h: event.count,
      };
    case "alarm-changed":
      return alarm("renewal-stopped", event.alarm?.reason);
    case "clock-alarm-changed":
      return alarm("clock", event.reason);
    case "egress-latch-changed":
      return alarm("egress-not-registered", event.reason);
    default:
      return undefined;
  }
}

function alarm(name: string, reason: string | undefined): Entry {
  return { type: reason === undefined ? "alarm-cleared" : "alarm", alarm: name, reason };
}
