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

/** What is looked at of a sandbox. */
export type WatchedPresto = Pick<Sandbox, "received" | "token"> & {
  state(): { readonly tokens: readonly { readonly fingerprint: string; readonly token_name: string }[] };
};

/** Follows the issue calls that come to a sandbox. */
export interface IssueLedger {
  readonly calls: readonly IssueCall[];
  /** Resolves with the next one that comes. */
  next(): Promise<IssueCall>;
  close(): void;
}

/** Milliseconds between two looks: much less than any renewal takes. */
const lookMs = 4;

export function followIssues(sandbox: WatchedPresto): IssueLedger {
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

/** A process that was stopped (SIGSTOP), and went on. Times are `performance.now()`. */
export interface Stop {
  /** The name under which it issues. */
  readonly by: string;
  readonly from: number;
  /** Infinity until it goes on. */
  to: number;
}

/** What is to be thought of the issue calls. */
export interface OverlapVerdict {
  /** Pairs that may not be: a sentence each. */
  readonly problems: readonly string[];
  /** Pairs of which one sender was stopped past its lease: it knew of nothing, and Presto can't see the lease. */
  readonly excused: number;
}

/** Milliseconds by which a time may be wrong: two looks, and the one under way. */
const inexactMs = 3 * lookMs;
/** Milliseconds after which whoever was stopped has looked at its lease again. */
const wakingMs = 5_000;

/** Finds each two issue calls that might both still be executed at one time. */
export function judgeOverlaps(
  calls: readonly IssueCall[],
  stops: readonly Stop[],
  leaseMs: number,
): OverlapVerdict {
  const wasStopped = ({ by, cameAt }: IssueCall): boolean =>
    stops.some(
      (stop) =>
        stop.by === by &&
        stop.to - stop.from >= leaseMs &&
        cameAt >= stop.from &&
        cameAt <= stop.to + wakingMs,
    );
  const problems: string[] = [];
  let excused = 0;
  for (const [index, later] of calls.entries()) {
    for (const earlier of calls.slice(0, index)) {
      const { executedAt = Number.POSITIVE_INFINITY } = earlier;
      if (executedAt <= later.cameAt + inexactMs) continue;
      if (wasStopped(earlier) || wasStopped(later)) excused += 1;
      else
        problems.push(
          `${later.by} sent an issue call ${Math.round(later.cameAt - earlier.cameAt)} ms after ${earlier.by}, whose call might still be executed`,
        );
    }
  }
  return { problems, excused };
}
