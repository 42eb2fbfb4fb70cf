import type { Clock, Timer } from "../clock.ts";

export interface SparesDeps {
  readonly clock: Clock;
  /** Until when (monotonic) some connection stands ready for any call; 0 if none does. */
  readonly readyUntil: () => number;
  /** Opens a connection that no call waits for. */
  readonly open: () => void;
  /** Closes connections that have stood idle for too long. @returns whether any are left */
  readonly sweep: () => boolean;
}

/** Has a connection stand ready for a while after the last call, so that the next one costs one round trip and not three. */
export interface Spares {
  /** A call has come, or the program has started. Costs nothing while spares are kept. */
  wake(now: number): void;
  /** A spare could not be had: the next try waits longer, up to a minute. */
  failed(): void;
  close(): void;
}

/** Spares are kept for so long after the last call, milliseconds. */
const warmMs = 5 * 60_000;
/** Looked at so often. */
const lookMs = 1_000;
/** The next one is opened so long before the last one's time is over, so that no call meets the change. */
const leadMs = 2_000;
/** Between two openings: 12 handshakes a minute at most, for Presto sees all sidecars of a bank from one address. */
const apartMs = 5_000;
const longestApartMs = 60_000;

export function createSpares(deps: SparesDeps): Spares {
  const { clock } = deps;
  let warmUntil = 0;
  let nextAt = 0;
  let failures = 0;
  let timer: Timer | undefined;
  let closed = false;

  function look(): void {
    timer = undefined;
    if (closed) return;
    const now = clock.monotonic();
    const isWarm = now < warmUntil;
    const anyLeft = deps.sweep();
    const readyUntil = deps.readyUntil();
    if (readyUntil > now) failures = 0;
    if (isWarm && now >= nextAt && readyUntil < now + leadMs) {
      nextAt = now + Math.min(apartMs * 2 ** failures, longestApartMs);
      deps.open();
    }
    if (isWarm || anyLeft) timer = clock.after(lookMs, look);
  }

  return {
    wake(now) {
      warmUntil = now + warmMs;
      if (timer === undefined && !closed) look();
    },
    failed() {
      failures += 1;
      nextAt = clock.monotonic() + Math.min(apartMs * 2 ** failures, longestApartMs);
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
