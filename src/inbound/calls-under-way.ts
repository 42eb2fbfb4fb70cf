import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import { type Limiter, overloaded } from "../upstream/limiter.ts";
import type { CallOnConnection } from "./connection.ts";

/**
 * Calls whose body is still coming. Each has a place and memory, and none has to be quick: where
 * that would shut another call out, the one that has been coming for the longest gives way.
 */
export interface SlowBodies {
  begun(call: ReceivedCall): void;
  ended(call: ReceivedCall): void;
  /** False where none has been coming for long. */
  giveWay(): boolean;
}

export type ReceivedCall = Pick<CallOnConnection, "failBody"> & { readonly arrivedAt: number };

/** What a caller that lives on this machine needs for a body, many times over, milliseconds. */
const slowAfterMs = 1_000;

export function createSlowBodies(clock: Pick<Clock, "monotonic">): SlowBodies {
  /** In the order of their coming. */
  const calls: ReceivedCall[] = [];
  return {
    begun: (call) => void calls.push(call),
    ended(call) {
      const index = calls.indexOf(call);
      if (index !== -1) calls.splice(index, 1);
    },
    giveWay() {
      const [oldest] = calls;
      if (oldest === undefined || clock.monotonic() - oldest.arrivedAt < slowAfterMs) return false;
      return oldest.failBody(
        overloaded("the request's body came slowly and made room for other calls; nothing was sent"),
      );
    },
  };
}

export interface CallsUnderWayDeps {
  readonly limiter: Pick<Limiter, "isFull">;
  readonly slowBodies: Pick<SlowBodies, "giveWay">;
  readonly clock: Clock;
}

/** Keeps accepted calls until they are over in every way, and knows whether another may be accepted. */
export interface CallsUnderWay {
  /** Why another call can't be accepted now; undefined if it can. */
  refusal(): Problem | undefined;
  begun(call: CallOnConnection): void;
  over(call: CallOnConnection): void;
  /** Those of callers that have gone, too. */
  all(): readonly CallOnConnection[];
  count(): number;
  /** From now on new calls are refused: the sidecar shuts down. */
  drain(): void;
  isDraining(): boolean;
  /** Resolves when no call is under way, or at `until` (monotonic milliseconds). */
  idle(until: number): Promise<"clean" | "cut-off">;
}

export function createCallsUnderWay({ limiter, slowBodies, clock }: CallsUnderWayDeps): CallsUnderWay {
  // No Set: what every call enters and leaves would keep calls alive (docs/decisions/memory.md).
  const calls: CallOnConnection[] = [];
  let draining = false;
  let whenIdle: (() => void) | undefined;

  return {
    refusal() {
      if (draining)
        return new Problem("draining", {
          detail: "this sidecar is shutting down; send to another, or again soon",
          retryAfter: 1,
        });
      if (!limiter.isFull(calls.length)) return undefined;
      slowBodies.giveWay();
      return limiter.isFull(calls.length) ? overloaded() : undefined;
    },
    begun: (call) => void calls.push(call),
    over(call) {
      const index = calls.indexOf(call);
      if (index === -1) return;
      const last = calls.pop();
      if (last !== undefined && last !== call) calls[index] = last;
      if (calls.length === 0) whenIdle?.();
    },
    all: () => [...calls],
    count: () => calls.length,
    drain() {
      draining = true;
    },
    isDraining: () => draining,
    idle(until) {
      return new Promise((resolve) => {
        const timer = clock.after(until - clock.monotonic(), () => resolve("cut-off"));
        whenIdle = () => {
          timer.cancel();
          resolve("clean");
        };
        if (calls.length === 0) whenIdle();
      });
    },
  };
}
