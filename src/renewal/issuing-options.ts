import type { CredentialOptions } from "../store/open.ts";
import type { DayWindow } from "./schedule.ts";

/** What a role that issues is configured with. Durations are milliseconds. */
export interface IssuingOptions {
  readonly credentials: CredentialOptions;
  /** Name and days of life that a token is asked for with. */
  readonly tokenName: string;
  readonly tokenDays: number;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** Fraction of a token's life after which it is renewed, above 0 and at most 1. */
  readonly renewAt: number;
  /** Undefined: at any time of the day. */
  readonly window: DayWindow | undefined;
  readonly probeEveryMs: number;
  readonly settleMs: number;
}
