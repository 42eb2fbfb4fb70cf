import type { EgressRoute } from "../connect/open.ts";
import type { Trust } from "../connect/trust.ts";
import type { RegistrationOptions } from "../egress-ip/open.ts";
import { type CommandErrorCode, exitCodes, systemCode } from "../errors.ts";
import { untilAborted } from "../lib/async.ts";
import { dayMs } from "../lib/duration.ts";
import type { Origin } from "../lib/host.ts";
import { describeError } from "../observe/describe-error.ts";
import type { ProbeOptions } from "../presto/probe.ts";
import type { CredentialOptions, StoreOptions } from "../store/open.ts";

/** What is wrong or odd with the configuration. */
export interface ConfigurationResult {
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
export interface IssuingOptions {
  readonly credentials: CredentialOptions;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** Fraction of a token's life after which it is renewed. */
  readonly renewAt: number;
}

/** Where Presto is, and how to get there. Durations are milliseconds. */
export interface UpstreamOptions {
  readonly origin: Origin;
  readonly trust: Trust;
  readonly egress: EgressRoute;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly probe: ProbeOptions;
}

/** What the doctor looks at. What a wrong configuration does not tell is undefined. */
export interface DoctorOptions {
  readonly configuration: ConfigurationResult;
  readonly store: StoreOptions | undefined;
  /** `not-issuing` for the role proxy. */
  readonly issuing: IssuingOptions | "not-issuing" | undefined;
  /** Asks a sidecar that runs here whether a token of its is stored nowhere yet: in a sentence, where one is. Undefined where none would know. */
  readonly unstoredToken?: (() => Promise<string | undefined>) | undefined;
  readonly upstream: UpstreamOptions | undefined;
  readonly egressCheck: RegistrationOptions | undefined;
  /** How Presto can reach the operator; undefined where it was not given. */
  readonly contact: string | undefined;
}

/** For what can't be looked at while the configuration is wrong. */
export const needsConfiguration = "The configuration has to be mended first.";

/** Everything that is looked at, in the order in which it is told: what comes later leans on what came before. */
export const checks = [
  "configuration",
  "sidecar",
  "store",
  "store-login",
  "store-rights",
  "store-object",
  "store-clock",
  "store-watch",
  "lock",
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
export type FailMeaning = Extract<CommandErrorCode, "configuration" | "refused" | "unreachable" | "no-token">;

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

/**
 * Which failure the exit code tells, where there are several: a wrong configuration can be the
 * cause of all the others, what Presto has refused explains why it can't be reached, and a token
 * that is not there is the least of them.
 */
const precedence: readonly FailMeaning[] = ["configuration", "refused", "unreachable", "no-token"];

/** 0 where nothing fails. */
export function exitCodeOf(findings: readonly Finding[]): number {
  const meanings = new Set(findings.flatMap((found) => (found.result === "FAIL" ? [found.meaning] : [])));
  const worst = precedence.find((meaning) => meanings.has(meaning));
  return worst === undefined ? 0 : exitCodes[worst];
}

/** What came of a question. `late`: time was over first. */
export type Attempted<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "late" };

/** Asks until the signal is aborted. Never rejects: one question that fails must not keep the others from being asked. */
export async function attempt<T>(stop: AbortSignal, ask: () => Promise<T> | T): Promise<Attempted<T>> {
  const asked = Promise.try(ask).then(
    (value): Attempted<T> => ({ kind: "done", value }),
    (error: unknown): Attempted<T> => ({ kind: "failed", error }),
  );
  return (await untilAborted(stop, asked)) ?? { kind: "late" };
}

/** What an error says, as one sentence; of one that is not this program's own, only its code. */
export function sentenceOf(error: unknown): string {
  const { message, name, code } = describeError(error);
  return asSentence(
    message ?? `it failed in a way that was not foreseen (${code ?? systemCode(error) ?? name})`,
  );
}

/** A text on one line, with a capital letter and an end. */
export function asSentence(text: string): string {
  // A message may have been made for several lines of a terminal.
  const line = text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\p{Cc}/gu, "")
    .trim();
  const sentence = line.charAt(0).toUpperCase() + line.slice(1);
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** For what was not done when time was over. */
export const lateDetail = "It was not done when the time of --timeout was over.";
export const lateMend = "Give more time with --timeout, and see what the lines above say of what is slow.";

/** Milliseconds as days, with their fraction. */
export function daysLeft(ms: number): number {
  return ms / dayMs;
}
