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

export function createServerTime(clock: Pick<Clock, "now" | "monotonic">): ServerTime {
  let aheadMs: number | undefined;

  return {
    heard(response, begunAt) {
      const at = Date.parse(fieldOf(response, "date") ?? "");
      if (Number.isNaN(at)) return;
      const receivedAt = clock.now();
      const sentAt = receivedAt - (clock.monotonic() - begunAt);
      // It read its clock between the two, and told whole seconds.
      if (at > receivedAt) aheadMs = at - receivedAt;
      else aheadMs = at + 1_000 < sentAt ? at + 1_000 - sentAt : 0;
    },
    aheadMs: () => aheadMs,
    now: () => clock.now() + (aheadMs ?? 0),
  };
}
