import type { Clock, Timer } from "../clock.ts";
import type { Cancellable, CancelReason } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import type { StoredRecord, TokenStore } from "../store/contract.ts";

/** A read of the store failed; the token in hand, if any, goes on serving. */
export interface StoreFailed {
  readonly type: "store-failed";
  readonly error: unknown;
}

export interface RecordWatchOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly emit: Emit<StoreFailed>;
  /** Milliseconds between reads. */
  readonly pollMs: number;
  /** Milliseconds between reads while somebody waits for a change. */
  readonly urgentPollMs: number;
  /** Called with each record whose version differs from the last one told. */
  readonly onRecord: (stored: StoredRecord) => void;
}

/** Follows the stored record: by the store's own watch where it has one, and by polling (rule P2 of the renewal protocol). */
export interface RecordWatch {
  /** Reads the store now; a read that was already under way does not count. Failures are emitted, then thrown. */
  refresh(): Promise<void>;
  /** Begins to watch and poll. */
  start(): void;
  /** Whether a call waits for a change: polling is urgent then. */
  setUrgent(urgent: boolean): void;
  close(): void;
}

export function createRecordWatch(options: RecordWatchOptions): RecordWatch {
  const { store, clock, emit } = options;
  let version: string | undefined;
  let reading: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let timer: Timer | undefined;
  let unwatch: (() => void) | undefined;
  let polledAt = clock.monotonic();
  let urgent = false;
  let closed = false;

  async function readOnce(): Promise<void> {
    try {
      const stored = await store.read();
      // A record that has gone is no reason to give up the token in hand.
      if (stored === undefined || stored.version === version || closed) return;
      version = stored.version;
      options.onRecord(stored);
    } catch (error) {
      emit({ type: "store-failed", error });
      throw error;
    }
  }

  function begin(): Promise<void> {
    reading = readOnce().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  function refresh(): Promise<void> {
    if (reading === undefined) return begin();
    // The one under way may have looked before the change: the next one is shared by all who ask meanwhile.
    next ??= reading
      .catch(() => {})
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  }

  /** Counted from the last poll, so that calls which come and go do not put the next one off for ever. */
  function arm(): void {
    timer?.cancel();
    if (closed || !store.canChange) return;
    const dueAt = polledAt + (urgent ? options.urgentPollMs : options.pollMs);
    timer = clock.after(dueAt - clock.monotonic(), () => {
      polledAt = clock.monotonic();
      refresh().then(arm, arm);
    });
  }

  return {
    refresh,
    start() {
      unwatch = store.watch?.(() => {
        refresh().catch(() => {});
      });
      arm();
    },
    setUrgent(value) {
      if (urgent === value) return;
      urgent = value;
      arm();
    },
    close() {
      closed = true;
      timer?.cancel();
      unwatch?.();
    },
  };
}

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
  | { readonly kind: "interrupted"; readonly why: CancelReason };

/** Calls that wait for the token path's state to change. */
export interface TokenWaits {
  /** Waits until `judge` takes something or gives up, or the call is interrupted. */
  wait<T>(call: Cancellable, judge: () => Verdict<T>): Promise<WaitEnd<T>>;
  /** The state has changed: every waiting call looks again, in the order of their coming. */
  wake(): void;
}

/** @param onAny called when the first call begins to wait, and when none does any more */
export function createTokenWaits(clock: Clock, onAny: (any: boolean) => void): TokenWaits {
  const looks = new Set<() => void>();

  return {
    wait<T>(call: Cancellable, judge: () => Verdict<T>) {
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
        if (call.cancelReason !== undefined) {
          end({ kind: "interrupted", why: call.cancelReason });
          return;
        }
        call.waiting = { cancelled: (why) => end({ kind: "interrupted", why }) };
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
