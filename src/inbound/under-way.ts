import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import { type Limiter, overloaded } from "../upstream/limiter.ts";

export interface CallsUnderWayDeps {
  readonly limiter: Pick<Limiter, "isFull">;
  readonly clock: Clock;
}

/** Counts accepted calls until they are over in every way, and knows whether another may be accepted. */
export interface CallsUnderWay {
  /** Why another call can't be accepted now; undefined if it can. */
  refusal(): Problem | undefined;
  begun(): void;
  over(): void;
  /** From now on new calls are refused: the sidecar shuts down. */
  drain(): void;
  isDraining(): boolean;
  /** Resolves when no call is under way, or at `until` (monotonic milliseconds). */
  idle(until: number): Promise<"clean" | "cut-off">;
}

export function createCallsUnderWay({ limiter, clock }: CallsUnderWayDeps): CallsUnderWay {
  let count = 0;
  let draining = false;
  let whenIdle: (() => void) | undefined;

  return {
    refusal() {
      if (draining)
        return new Problem("draining", {
          detail: "this sidecar is shutting down; send to another, or again soon",
          retryAfter: 1,
        });
      return limiter.isFull(count) ? overloaded() : undefined;
    },
    begun() {
      count += 1;
    },
    over() {
      count -= 1;
      if (count === 0) whenIdle?.();
    },
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
        if (count === 0) whenIdle();
      });
    },
  };
}
