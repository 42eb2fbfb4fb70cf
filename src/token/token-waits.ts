import type { Clock, Timer } from "../clock.ts";
import type { Interruptible, Interruption } from "../lib/async.ts";

/** What a waiting call makes of the state at this moment. */
export type Verdict<T> =
  | { readonly kind: "take"; readonly value: T }
  | { readonly kind: "give-up" }
  /** Look again at `until` (monotonic), or as soon as something changes. */
  | { readonly kind: "wait"; readonly until: number };

/** How a wait ended. */
export type WaitEnd<T> =
  | { readonly kind: "taken"; readonly value: T }
  | { readonly kind: "gave-up" }
  | { readonly kind: "interrupted"; readonly why: Interruption };

/** Calls that wait for the token path's state to change. */
export interface TokenWaits {
  /** Waits until `judge` takes something or gives up, or the call is interrupted. */
  wait<T>(call: Interruptible, judge: () => Verdict<T>): Promise<WaitEnd<T>>;
  /** The state has changed: every waiting call looks again, in the order of their coming. */
  wake(): void;
}

/** @param onAny called when the first call begins to wait, and when none does any more */
export function createTokenWaits(clock: Clock, onAny: (any: boolean) => void): TokenWaits {
  const looks = new Set<() => void>();

  return {
    wait<T>(call: Interruptible, judge: () => Verdict<T>) {
      return new Promise<WaitEnd<T>>((resolve) => {
        let timer: Timer | undefined;
        let over = false;
        const end = (result: WaitEnd<T>): void => {
          over = true;
          timer?.cancel();
          call.waiting = undefined;
          if (looks.delete(look) && looks.size === 0) onAny(false);
          resolve(result);
        };
        const look = (): void => {
          timer?.cancel();
          const verdict = judge();
          if (verdict.kind === "take") end({ kind: "taken", value: verdict.value });
          else if (verdict.kind === "give-up") end({ kind: "gave-up" });
          else if (Number.isFinite(verdict.until))
            timer = clock.after(verdict.until - clock.monotonic(), look);
        };
        if (call.interruption !== undefined) {
          end({ kind: "interrupted", why: call.interruption });
          return;
        }
        call.waiting = { interrupted: (why) => end({ kind: "interrupted", why }) };
        look();
        if (over) return;
        looks.add(look);
        if (looks.size === 1) onAny(true);
      });
    },
    wake() {
      for (const look of looks) look();
    },
  };
}
