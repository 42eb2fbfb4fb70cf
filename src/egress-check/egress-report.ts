import type { EgressVerdict } from "./classifier.ts";

/** What `/status` and the metrics say of the address that this process leaves from. Holds no secret. */
export interface EgressReport {
  /** As the check URLs saw it last; several where they differ. Empty while unknown. */
  readonly addresses: readonly string[];
  /** Null while unknown, and where nothing is there to compare with. */
  readonly registered: boolean | null;
  /** Why calls are kept back; null while they are not. */
  readonly closed: string | null;
  readonly verdict: EgressVerdict;
  /** Sentences, the most telling first. */
  readonly evidence: readonly string[];
  /** When the check URLs were asked last, wall clock; null before the first time. */
  readonly checkedAt: Date | null;
  readonly checkUrls: readonly CheckUrlReport[];
}

export interface CheckUrlReport {
  /** Host, and the port unless it is 443. */
  readonly host: string;
  /** Null before the first answer. */
  readonly ok: boolean | null;
  readonly address: string | null;
  readonly error: string | null;
}
