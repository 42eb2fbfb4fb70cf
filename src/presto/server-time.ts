import type { Clock } from "../clock.ts";
import { fieldOf } from "../upstream/call.ts";
import type { OwnResponse } from "../upstream/request-once.ts";

/** What the `Date` of Presto's answers (RFC 9110 section 6.6.1) says of its clock beside this machine's. */
export interface ServerTime {
  /** @param begunAt monotonic time at which the request was begun */
  heard(response: OwnResponse, begunAt: number): void;
  /** Milliseconds by which Presto's clock is ahead of ours, at least; below zero where ours is ahead. Undefined while no answer has named a time. */
  aheadMs(): number | undefined;
  /** Wall clock as Presto has it, milliseconds since 1970; our own where nothing is known. */
  now(): number;
}

/**
 * What was heard goes on by the time since this machine was started, which nobody sets, and which counts while it
 * sleeps: a wall clock that is set, or set right, moves Presto's by nothing.
 */
export function createServerTime(clock: Pick<Clock, "now" | "monotonic" | "sinceBoot">): ServerTime {
  let last: { readonly prestoAt: number; readonly bootAt: number } | undefined;

  function now(): number {
    return last === undefined ? clock.now() : last.prestoAt + clock.sinceBoot() - last.bootAt;
  }

  return {
    heard(response, begunAt) {
      const at = Date.parse(fieldOf(response, "date") ?? "");
      if (Number.isNaN(at)) return;
      const receivedAt = clock.now();
      const sentAt = receivedAt - (clock.monotonic() - begunAt);
      last = { prestoAt: receivedAt + leastAheadMs(at, sentAt, receivedAt), bootAt: clock.sinceBoot() };
    },
    aheadMs: () => (last === undefined ? undefined : now() - clock.now()),
    now,
  };
}

/**
 * Milliseconds by which a server's clock is ahead of ours at least, below zero where ours is ahead: it read its own
 * between the two times, and told whole seconds. All three are wall clock.
 * @param at the Date of its answer
 */
export function leastAheadMs(at: number, sentAt: number, receivedAt: number): number {
  if (at > receivedAt) return at - receivedAt;
  return at + 1_000 < sentAt ? at + 1_000 - sentAt : 0;
}
