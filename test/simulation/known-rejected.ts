import type { StoredRecord } from "../../src/store/contract.ts";
import type { SimController } from "./exchange.ts";
import type { SimProcess } from "./sim-process.ts";
import { Violation } from "./violation.ts";

/**
 * P9, as anybody outside can see it: a token that a process has heard a 401 to is tried again by one call at a
 * time, no sooner than 5 s after, and ever more seldom after three tries, until the record changes.
 */
export interface KnownRejected {
  /** A call is about to be sent with that token. */
  sends(call: string, token: string, controller: SimController): void;
  heard(token: string, status: number): void;
  /** A probe of the same process was let in with it: also once it has found out what that says, by a made-up token that was not. */
  probed(token: string, isLetIn: boolean): void;
}

export interface KnownRejectedOptions {
  readonly process: SimProcess;
  /** What the process has read last, a record or none: another object after each change, also where one just like it was put back. */
  readonly lastRead: () => StoredRecord | undefined;
  /** Where a 401 can lie, answers that came earlier may take the mark away again, and nothing is claimed. */
  readonly isLying: boolean;
}

/** Milliseconds between two tries, and at most. */
const apartMs = 5_000;
const mostMs = 30_000;
const tightTries = 3;

interface Mark {
  lastAt: number;
  tries: number;
  record: StoredRecord | undefined;
  trier: SimController | undefined;
}

export function createKnownRejected({ process, lastRead, isLying }: KnownRejectedOptions): KnownRejected {
  const marks = new Map<string, Mark>();
  let lastLetIn: string | undefined;
  const now = (): number => process.clock.monotonic();
  let inHand: StoredRecord | undefined;

  /** A record that was taken away is in hand until there is another. */
  function record(): StoredRecord | undefined {
    return (inHand = lastRead() ?? inHand);
  }

  function waitAfter(tries: number): number {
    if (tries < tightTries) return apartMs;
    return Math.max(apartMs, 0.75 * Math.min(mostMs, apartMs * 2 ** (tries - tightTries + 1)));
  }

  return {
    sends(call, token, controller) {
      const mark = marks.get(token);
      if (mark === undefined || isLying) return;
      if (mark.trier !== undefined && !mark.trier.aborted)
        throw new Violation("P9", `${call} tries ${token}, which was rejected, beside another`);
      if (mark.record !== record()) mark.tries = 0;
      const leftMs = mark.lastAt + waitAfter(mark.tries) - now();
      if (leftMs > 1)
        throw new Violation(
          "P9",
          `${call} tries ${token}, which was rejected, ${leftMs.toFixed(0)} ms too soon (try ${mark.tries + 1})`,
        );
      mark.record = record();
      mark.tries += 1;
      mark.trier = controller;
    },
    heard(token, status) {
      const mark = marks.get(token);
      if (mark !== undefined) mark.trier = undefined;
      if (status === 200) marks.delete(token);
      if (status !== 401) return;
      if (mark === undefined)
        marks.set(token, { lastAt: now(), tries: 0, record: record(), trier: undefined });
      else mark.lastAt = now();
    },
    probed(token, isLetIn) {
      if (isLetIn) lastLetIn = token;
      if (lastLetIn !== undefined) marks.delete(lastLetIn);
    },
  };
}
