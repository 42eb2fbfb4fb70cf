import type { IssueEnd, IssueRequest, IssuedToken, Issuer } from "../../src/presto/auth.ts";
import type { TokenVerdict } from "../../src/presto/probe.ts";
import { Secret } from "../../src/secret.ts";
import type { RequestControl } from "../../src/upstream/request-once.ts";

/** An issue call that was begun. */
export interface ScriptedCall {
  readonly request: IssueRequest;
  readonly control: RequestControl;
  /** Presto answers now. */
  answer(end: IssueEnd): void;
}

/** The issuer and the probe, as a test makes them speak. */
export interface ScriptedPresto {
  readonly issuer: Pick<Issuer, "issueToken">;
  readonly probe: (token: Secret) => Promise<TokenVerdict>;
  /** Ends of the calls to come; a call beyond them waits for its `answer`. */
  will(...ends: readonly IssueEnd[]): void;
  /** What the probes of this token say, one after the other, the last one for ever; unclear where nothing was said. */
  says(token: string, ...verdicts: readonly (TokenVerdict | Promise<TokenVerdict>)[]): void;
  /** Runs right before the next call's first byte. */
  beforeFirstByte(run: () => void): void;
  /** Those of which a byte was sent. */
  readonly calls: readonly ScriptedCall[];
  last(): ScriptedCall;
}

export function createScriptedPresto(trail: string[]): ScriptedPresto {
  const calls: ScriptedCall[] = [];
  const verdicts = new Map<string, (TokenVerdict | Promise<TokenVerdict>)[]>();
  let ends: IssueEnd[] = [];
  let hook: (() => void) | undefined;

  return {
    issuer: {
      async issueToken(request, control) {
        hook?.();
        hook = undefined;
        if (!control.mayBegin()) {
          trail.push("issue called off");
          return { kind: "not-sent", cause: undefined };
        }
        trail.push("issue");
        const { promise, resolve } = Promise.withResolvers<IssueEnd>();
        control.signal.addEventListener("abort", () => resolve({ kind: "unclear", cause: undefined }), {
          once: true,
        });
        calls.push({ request, control, answer: resolve });
        const end = ends.shift();
        if (end !== undefined) resolve(end);
        return promise;
      },
    },
    async probe(token) {
      trail.push(`probe ${token.reveal()}`);
      const said = verdicts.get(token.reveal()) ?? [];
      const verdict = said.length > 1 ? said.shift() : said[0];
      return verdict ?? "unclear";
    },
    will(...more) {
      ends = [...ends, ...more];
    },
    says: (token, ...said) => void verdicts.set(token, [...said]),
    beforeFirstByte(run) {
      hook = run;
    },
    calls,
    last() {
      const call = calls.at(-1);
      if (call === undefined) throw new Error("no issue call was made");
      return call;
    },
  };
}

/** A new token, with a life of 90 days from `at` (milliseconds since 1970). */
export function issuedToken(text: string, at: number): IssuedToken {
  return {
    token: new Secret(text),
    name: "tests",
    issuedAt: new Date(at),
    expiresAt: new Date(at + 90 * 24 * 60 * 60 * 1000),
  };
}

/** Presto's clear refusals. */
export function refusal(status: 401 | 422 | 429, retryAfterMs?: number): IssueEnd {
  const detail = `Presto answered ${status}.`;
  return { kind: "refused", status, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

export const unclear: IssueEnd = { kind: "unclear", cause: undefined };
