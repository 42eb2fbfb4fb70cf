import type { Clock } from "../clock.ts";
import { dayMs } from "../lib/duration.ts";
import type { Subscriber } from "./events.ts";

/** The token in hand, as it was told; its fingerprint, never its text. */
export interface SeenToken {
  readonly id: string;
  readonly generation: number;
  /** Null where it is unknown. */
  readonly expiresAt: Date | null;
  /** When it came into hand. */
  readonly since: Date;
}

/** What was told last, for whoever is asked for the present state: metrics and the status page. */
export interface LastSeen {
  readonly note: Subscriber;
  token(): SeenToken | undefined;
  /** Seconds until the token ends, below zero if it has; undefined while unknown. */
  tokenSecondsLeft(): number | undefined;
  /** `refused` while Presto's last word on the token in hand is 401. */
  tokenState(): "none" | "in use" | "refused";
  /** When the certificate last shown by Presto ends; undefined while unknown. */
  certificateEnd(): Date | undefined;
  /** Days until the certificate last shown by Presto ends, below zero if it has; undefined while unknown. */
  certificateDaysLeft(): number | undefined;
}

const secondMs = 1000;

export function createLastSeen(clock: Clock): LastSeen {
  let token: SeenToken | undefined;
  let refusedId: string | undefined;
  let certificateEnd: number | undefined;
  return {
    note(event) {
      switch (event.type) {
        case "token-changed": {
          const { id, generation, expiresAt } = event;
          token = { id, generation, expiresAt, since: new Date(clock.now()) };
          break;
        }
        case "token-rejected":
          refusedId = event.id;
          break;
        case "token-accepted":
          if (refusedId === event.id) refusedId = undefined;
          break;
        case "peer-certificate":
          certificateEnd = event.validTo.getTime();
          break;
        default:
      }
    },
    token: () => token,
    tokenState() {
      if (token === undefined) return "none";
      return token.id === refusedId ? "refused" : "in use";
    },
    tokenSecondsLeft: () => left(token?.expiresAt?.getTime(), secondMs),
    certificateEnd: () => (certificateEnd === undefined ? undefined : new Date(certificateEnd)),
    certificateDaysLeft: () => left(certificateEnd, dayMs),
  };

  function left(end: number | undefined, unit: number): number | undefined {
    return end === undefined || Number.isNaN(end) ? undefined : (end - clock.now()) / unit;
  }
}
