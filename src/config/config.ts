import type { WayOut } from "../connect/open.ts";
import type { Trust } from "../connect/tls.ts";
import type { EgressCheckSettings } from "../egress-ip/open.ts";
import type { Origin } from "../lib/host.ts";
import type { ListenAddress } from "../listen/address.ts";
import type { LogLevel } from "../observe/log.ts";
import type { Operation } from "../policy/operations.ts";
import type { IssuingOptions } from "../renewal/types.ts";
import type { StoreOptions } from "../store/open.ts";
import type { AdmissionLimits } from "../upstream/limiter.ts";

/** The whole configuration, checked: what the composition root builds the program from. Durations are milliseconds, sizes bytes. */
export interface Config {
  /** `proxy` serves, `rotator` issues, `all` does both. */
  readonly role: "proxy" | "rotator" | "all";
  /** What a role that issues needs; undefined for `proxy`. */
  readonly issuing: IssuingOptions | undefined;
  /** Made-up transaction reference that probes ask for. */
  readonly probeReference: string;
  readonly origin: Origin;
  readonly trust: Trust;
  readonly wayOut: WayOut;
  /** Which addresses are registered, and who is asked for ours. */
  readonly egressCheck: EgressCheckSettings;
  readonly connectTimeoutMs: number;
  /** Empty for `rotator`, which serves nothing. */
  readonly listen: readonly ListenAddress[];
  readonly hosts: readonly string[];
  readonly adminListen: ListenAddress;
  readonly controlListen: ListenAddress | undefined;
  readonly store: StoreOptions;
  /** The three wallet calls and those of PRESTO_OPERATIONS. */
  readonly operations: readonly Operation[];
  readonly maxBody: number;
  readonly admission: AdmissionLimits;
  readonly timeoutMs: number;
  readonly holdMaxMs: number;
  readonly drainMinMs: number;
  readonly drainMaxMs: number;
  readonly logLevel: LogLevel;
  /** Sentences to log at start: what is allowed but odd. */
  readonly warnings: readonly string[];
}
