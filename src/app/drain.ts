import type { Readiness } from "../admin/readiness.ts";
import type { Clock } from "../clock.ts";
import type { ProxyListener } from "../inbound/listener.ts";
import { within } from "../lib/async.ts";
import type { Lifecycle } from "../renewal/lifecycle.ts";

/** `cut-off`: calls were. `renewal-left`: no call was, but a renewal was not finished. */
export type DrainEnd = "clean" | "cut-off" | "renewal-left";

export interface DrainOptions {
  /** How long calls are still accepted, and when all must be over, milliseconds from the beginning. */
  readonly drainMinMs: number;
  readonly drainMaxMs: number;
}

export interface DrainDeps {
  readonly readiness: Pick<Readiness, "close">;
  readonly calls: Pick<ProxyListener, "refuseNew" | "idle" | "expireAll">;
  /** Undefined in a role that issues nothing. */
  readonly lifecycle: Pick<Lifecycle, "drain"> | undefined;
  readonly clock: Clock;
}

/** One budget in which everything that is under way comes to its end. */
export interface Drain {
  /** Readiness goes and new calls are refused; nothing else ends. */
  refuseNew(): void;
  /** Keeps accepting for `drainMinMs`, then refuses new calls and waits for what is under way, until `drainMaxMs`. */
  run(): Promise<DrainEnd>;
}

/** Milliseconds that are kept for the replies to calls that are cut off. */
const lastWordsMs = 500;

export function createDrain({ drainMinMs, drainMaxMs }: DrainOptions, deps: DrainDeps): Drain {
  const { readiness, calls, lifecycle, clock } = deps;
  let refusing = false;

  function refuseNew(): void {
    refusing = true;
    readiness.close("draining", "The sidecar takes no new calls.");
    calls.refuseNew();
  }

  /** An issue call that was sent is finished; what is left at `until` (monotonic) stands in the record for the next process. */
  async function finishRenewal(until: number): Promise<"clean" | "renewal-left"> {
    if (lifecycle === undefined) return "clean";
    const finished = lifecycle.drain().then(() => "clean" as const);
    return (await within(clock, until - clock.monotonic(), finished)) ?? "renewal-left";
  }

  return {
    refuseNew,
    async run() {
      const endsAt = clock.monotonic() + drainMaxMs;
      readiness.close("draining", "The sidecar is shutting down.");
      const renewed = finishRenewal(endsAt);
      if (!refusing) await clock.sleep(drainMinMs);
      refuseNew();
      // What can't be finished is told to its caller, and for that a moment is kept back.
      const wordsMs = Math.min(lastWordsMs, drainMaxMs / 10);
      if ((await calls.idle(endsAt - wordsMs)) === "clean") return renewed;
      calls.expireAll(endsAt - wordsMs / 2);
      await Promise.all([calls.idle(endsAt), renewed]);
      return "cut-off";
    },
  };
}
