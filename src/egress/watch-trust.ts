import type { Clock } from "../clock.ts";
import { createWatchedFile } from "../files/watched-file.ts";
import type { Signals } from "../observe/signals.ts";
import type { Connector } from "./connect.ts";
import type { Trust } from "./tls.ts";

export interface WatchTrustOptions {
  readonly connector: Pick<Connector, "reload">;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly signals: Pick<Signals, "warned">;
}

/** Has the CA file read again when it changes; one that can't be used changes nothing but the log. */
export function watchTrust({ connector, trust, clock, signals }: WatchTrustOptions): { close(): void } {
  if (trust.caFile === undefined) return { close() {} };
  return createWatchedFile({
    path: trust.caFile,
    clock,
    onChange() {
      try {
        connector.reload();
      } catch (error) {
        signals.warned(
          "The CA file has changed and can't be used; what was trusted before stays trusted.",
          error,
        );
      }
    },
  });
}
