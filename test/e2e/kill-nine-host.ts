import type { LoadCallers } from "../support/load-callers.ts";
import type { TokenHost } from "../support/token-host.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

/** One account with its sidecar and its callers. */
export interface Lane {
  readonly host: TokenHost;
  readonly callers: LoadCallers;
  sidecar(): WatchedCli;
  /** Starts another; the one before must have ended. */
  start(settle: string): WatchedCli;
  /** Ends the one that runs in good order; what was not in order. */
  stop(): Promise<readonly string[]>;
}
