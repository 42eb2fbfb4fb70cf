import type { FailureCode } from "../errors.ts";

/** Everything that is looked at, in the order in which it is told: what comes later leans on what came before. */
export const checks = [
  "configuration",
  "store",
  "token",
  "token-life",
  "renewal",
  "credentials",
  "dns",
  "source-address",
  "egress-proxy",
  "route",
  "tls",
  "pins",
  "certificate-life",
  "presto",
  "clock",
  "token-accepted",
  "egress-registered",
] as const;

/** One thing that must hold. */
export type Check = (typeof checks)[number];

/** What a failure means to whoever runs the command in a script. */
export type FailMeaning = Extract<FailureCode, "configuration" | "refused" | "unreachable" | "no-token">;

/**
 * What was found of one thing. `detail` and `mend` are whole sentences for people, and hold no
 * secret. OK needs no mend; a SKIP says in its detail why it was not looked at.
 */
export type Finding =
  | {
      readonly check: Check;
      readonly result: "OK" | "SKIP";
      readonly detail: string;
      readonly mend: null;
    }
  | { readonly check: Check; readonly result: "WARN"; readonly detail: string; readonly mend: string }
  | {
      readonly check: Check;
      readonly result: "FAIL";
      readonly detail: string;
      readonly mend: string;
      readonly meaning: FailMeaning;
      /** A letter to send, where that is the mend. */
      readonly notice?: string;
    };

export function ok(check: Check, detail: string): Finding {
  return { check, result: "OK", detail, mend: null };
}

export function skip(check: Check, why: string): Finding {
  return { check, result: "SKIP", detail: why, mend: null };
}

export function warn(check: Check, detail: string, mend: string): Finding {
  return { check, result: "WARN", detail, mend };
}

export type Failing = Extract<Finding, { readonly result: "FAIL" }>;

export function fail(check: Check, meaning: FailMeaning, detail: string, mend: string): Failing {
  return { check, result: "FAIL", detail, mend, meaning };
}
