import type { Sandbox } from "../../../src/sandbox/server.ts";
import { issuePath } from "../../support/token-host.ts";

/** One issue call, as Presto had it. Times are `performance.now()`. */
export interface IssueCall {
  /** The name that it asks for: each process of the fleet has one of its own. */
  readonly by: string;
  readonly cameAt: number;
  /** Until then it might have been executed; undefined: it still may. */
  executedAt: number | undefined;
}

/** Follows the issue calls that come to a sandbox. */
export interface IssueLedger {
  readonly calls: readonly IssueCall[];
  /** Resolves with the next one that comes. */
  next(): Promise<IssueCall>;
  close(): void;
}

/** Milliseconds between two looks: much less than any renewal takes. */
const lookMs = 4;

export function followIssues(sandbox: Sandbox): IssueLedger {
  const calls: IssueCall[] = [];
  const waiting = new Set<(call: IssueCall) => void>();
  let newest: object | undefined;
  let token = sandbox.token;
  let lastMade = sandbox.state().tokens.at(-1)?.fingerprint;

  function look(): void {
    const now = performance.now();
    const received = sandbox.received();
    const from = newest === undefined ? 0 : received.findLastIndex((each) => each === newest) + 1;
    newest = received.at(-1) ?? newest;
    for (const { target, body } of received.slice(from)) {
      if (target !== issuePath) continue;
      const call: IssueCall = { by: nameIn(body), cameAt: now, executedAt: undefined };
      calls.push(call);
      for (const tell of waiting) tell(call);
      waiting.clear();
    }
    if (sandbox.token === token) return;
    token = sandbox.token;
    const { tokens } = sandbox.state();
    const before = tokens.findLastIndex(({ fingerprint }) => fingerprint === lastMade);
    for (const made of tokens.slice(before + 1)) {
      const executed = calls.find((call) => call.executedAt === undefined && call.by === made.token_name);
      if (executed !== undefined) executed.executedAt = performance.now();
      lastMade = made.fingerprint;
    }
  }

  const timer = setInterval(look, lookMs);
  return {
    calls,
    next: () =>
      new Promise((resolve) => {
        waiting.add(resolve);
      }),
    close: () => clearInterval(timer),
  };
}

function nameIn(body: Buffer): string {
  const parsed: unknown = JSON.parse(body.toString("utf8"));
  return String(Object(parsed).token_name);
}

/** Two calls that might both still be executed, at one time. The later one's sender may have been stopped for so long that it knew of nothing. */
export interface Overlap {
  readonly earlier: IssueCall;
  readonly later: IssueCall;
}

/** Milliseconds by which a time may be wrong: two looks. */
const inexactMs = 3 * lookMs;

export function overlapsOf(calls: readonly IssueCall[]): readonly Overlap[] {
  return calls.flatMap((later, index) =>
    calls
      .slice(0, index)
      .filter((earlier) => (earlier.executedAt ?? Number.POSITIVE_INFINITY) > later.cameAt + inexactMs)
      .map((earlier) => ({ earlier, later })),
  );
}
