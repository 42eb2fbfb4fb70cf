import { setTimeout as pause } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { issuePath } from "../../support/token-host.ts";
import { followIssues, type IssueCall, judgeOverlaps, type Stop, type WatchedPresto } from "./ledger.ts";

// The proof of the fleet stands on this check, so it is checked itself: over stories that were made up.

const leaseMs = 45_000;

/** One that came at that second, and was executed at the other one, or never. */
function call(by: string, cameAt: number, executedAt?: number): IssueCall {
  return {
    by,
    cameAt: cameAt * 1_000,
    executedAt: executedAt === undefined ? undefined : executedAt * 1_000,
  };
}

function stop(by: string, from: number, to: number): Stop {
  return { by, from: from * 1_000, to: to * 1_000 };
}

describe("two issue calls of which both may still be executed", () => {
  it("are none where each comes after the one before was executed", () => {
    const calls = [call("one", 1, 1.02), call("two", 1.03, 5), call("one", 6, 6.5), call("two", 60)];
    expect(judgeOverlaps(calls, [], leaseMs)).toEqual({ problems: [], excused: 0 });
  });

  it.each<[string, readonly IssueCall[]]>([
    ["of a Lease that is not waited for", [call("one", 1, 3), call("two", 2, 2.5)]],
    ["of a holder that was killed, while its call was on its way", [call("one", 1), call("two", 8, 8.1)]],
    [
      "with others between them",
      [call("one", 1, 9), call("two", 1.5, 1.6), call("two", 3, 3.1), call("one", 9.5, 9.6)],
    ],
    ["of one process", [call("one", 1, 3), call("one", 2, 2.5)]],
  ])("are found: %s", (_, calls) => {
    const { problems, excused } = judgeOverlaps(calls, [], leaseMs);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toMatch(/sent an issue call \d+ ms after one, whose call might still be executed/);
    expect(excused).toBe(0);
  });

  it("are excused where one was sent by a process that had been stopped past its lease, as it went on", () => {
    const calls = [call("two", 51, 53), call("one", 52, 52.2)];
    expect(judgeOverlaps(calls, [stop("one", 1, 51.5)], leaseMs)).toEqual({ problems: [], excused: 1 });
  });

  it.each<[string, Stop]>([
    ["another was stopped", stop("three", 1, 51.5)],
    ["it was stopped for less than its lease", stop("one", 20, 51.5)],
    ["it has long gone on", stop("one", -20, 40)],
    ["it was stopped later", stop("one", 53, 103)],
  ])("are not excused where %s", (_, stopped) => {
    const calls = [call("two", 51, 53), call("one", 52, 52.2)];
    expect(judgeOverlaps(calls, [stopped], leaseMs).problems).toHaveLength(1);
  });
});

/** A Presto that takes calls, and executes them when a test says so. */
function createPresto() {
  const received: ReturnType<WatchedPresto["received"]>[number][] = [];
  const tokens: { fingerprint: string; token_name: string }[] = [{ fingerprint: "0", token_name: "first" }];
  const presto: WatchedPresto = {
    received: () => [...received],
    get token() {
      return `token-${tokens.length}`;
    },
    state: () => ({ tokens: [...tokens] }),
  };
  return {
    presto,
    came(by: string) {
      const body = Buffer.from(JSON.stringify({ token_name: by }));
      received.push({
        method: "POST",
        target: issuePath,
        rawHeaders: [],
        body,
        address: "127.0.0.1",
        connection: 1,
      });
    },
    executed(by: string) {
      tokens.push({ fingerprint: String(tokens.length), token_name: by });
    },
  };
}

/** Milliseconds in which the ledger looks a few times. */
const looksMs = 40;

it("follows calls from their coming to their execution, each by its sender's name", async () => {
  const { presto, came, executed } = createPresto();
  const ledger = followIssues(presto);
  try {
    const next = ledger.next();
    came("one");
    expect((await next).by).toBe("one");
    await pause(looksMs);
    came("two");
    await pause(looksMs);
    executed("two");
    await pause(looksMs);
    executed("one");
    await pause(looksMs);
    came("one");
    executed("one");
    await pause(looksMs);
    expect(ledger.calls.map(({ by, executedAt }) => [by, executedAt !== undefined])).toEqual([
      ["one", true],
      ["two", true],
      ["one", true],
    ]);
    const { problems } = judgeOverlaps(ledger.calls, [], leaseMs);
    expect(problems).toEqual([expect.stringContaining("two sent an issue call")]);
  } finally {
    ledger.close();
  }
});
