import type { WayOut } from "../connect/open.ts";
import type { Trust } from "../connect/tls.ts";
import type { EgressCheckSettings } from "../egress-ip/open.ts";
import type { Origin } from "../lib/host.ts";
import type { CredentialOptions, StoreOptions } from "../store/open.ts";

/** What is wrong or odd with the configuration. */
export interface ConfigurationFacts {
  readonly problems: readonly {
    readonly variable: string;
    /** Goes on from the name. */
    readonly wrong: string;
    readonly example: string;
  }[];
  /** Sentences. */
  readonly warnings: readonly string[];
}

/** A role that issues, as far as it is looked at. */
export interface IssuingFacts {
  readonly credentials: CredentialOptions;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** Fraction of a token's life after which it is renewed. */
  readonly renewAt: number;
}

/** Where Presto is, and how to get there. Durations are milliseconds. */
export interface UpstreamFacts {
  readonly origin: Origin;
  readonly trust: Trust;
  readonly wayOut: WayOut;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
}

/** What the doctor looks at. What a wrong configuration does not tell is undefined. */
export interface DoctorOptions {
  readonly configuration: ConfigurationFacts;
  readonly store: StoreOptions | undefined;
  /** `not-issuing` for the role proxy. */
  readonly issuing: IssuingFacts | "not-issuing" | undefined;
  readonly upstream: UpstreamFacts | undefined;
  /** Made-up transaction reference that is asked for. */
  readonly probeReference: string | undefined;
  readonly egressCheck: EgressCheckSettings | undefined;
  /** How Presto can reach the operator; undefined where it was not given. */
  readonly contact: string | undefined;
}

/** For what can't be looked at while the configuration is wrong. */
export const needsConfiguration = "The configuration has to be mended first.";
