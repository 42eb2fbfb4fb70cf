import type { Clock, Timer } from "../clock.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { StoredRecord, TokenStore } from "../store/contract.ts";

/** A read of the store failed; the token in hand, if any, goes on serving. */
export interface StoreFailed {
  readonly type: "store-failed";
  readonly error: unknown;
}

export interface RecordWatchOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly emit: Emit<StoreFailed | Warning>;
  /** Are calls sent with the token? A record of a later version is of use for that, and for nothing else. */
  readonly sendsCalls?: boolean;
  /** Milliseconds between reads. */
  readonly pollMs: number;
  /** Milliseconds between reads while somebody waits for a change, at most. */
  readonly urgentPollMs: number;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Called with each record whose version differs from the last one told. */
  readonly onRecord: (stored: StoredRecord) => void;
  /** Called when a read finds none where there was one, or at the first. */
  readonly onAbsent?: () => void;
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

/**
 * Between the first reads of a store that tells of no change, while somebody waits for one, milliseconds. Each
 * pause is twice the one before: a renewal that waits for calls in flight (GRACE) is followed closely enough
 * for its end to be seen within another second, and a token that stays dead costs a read a second.
 */
const firstUrgentMs = 100;

export function createRecordWatch(options: RecordWatchOptions): RecordWatch {
  const { store, clock, emit } = options;
  /** Of the record that was told last; null while there is none. */
  let version: string | null | undefined;
  let reading: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let timer: Timer | undefined;
  let unwatch: (() => void) | undefined;
  let polledAt = clock.monotonic();
  let urgent = false;
  /** Polls in a row that were urgent, since the record was last another one. */
  let urgentPolls = 0;
  /** Did the last read fail? Then what it was to bring is not told of again. */
  let failed = false;
  let wasLater = false;
  let closed = false;

  async function read(): Promise<StoredRecord | undefined> {
    return options.sendsCalls !== false && store.readToServe !== undefined
      ? store.readToServe()
      : store.read();
  }

  /** Once, and not for each token that the later version puts there. */
  function tellIfLater(stored: StoredRecord): void {
    const isLater = stored.isLater === true;
    if (isLater && !wasLater) {
      emit({
        type: "warning",
        message:
          "The token's record was written by a later version of presto-sidecar. Its token serves, and this version writes nothing there. Run that version, or a later one.",
      });
    }
    wasLater = isLater;
  }

  async function readOnce(): Promise<void> {
    try {
      const stored = await read();
      failed = false;
      const found = stored?.version ?? null;
      if (found === version || closed) return;
      version = found;
      noteChange();
      if (stored === undefined) {
        options.onAbsent?.();
        return;
      }
      tellIfLater(stored);
      options.onRecord(stored);
    } catch (error) {
      failed = true;
      emit({ type: "store-failed", error });
      throw error;
    }
  }

  /** What comes next may come soon: an intent is followed by its token. */
  function noteChange(): void {
    urgentPolls = 0;
    if (urgent) arm();
  }

  function urgentMs(): number {
    // Where a store tells of changes, polling is for the case that it does not.
    if (store.watch !== undefined) return options.urgentPollMs;
    const pauseMs = Math.min(options.urgentPollMs, firstUrgentMs * 2 ** urgentPolls);
    // Many processes begin to wait at one moment, at the first 401.
    return pauseMs * (0.8 + options.random() / 5);
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

  /**
   * Counted from the last poll, so that calls which come and go do not put the next one off for ever. A store
   * whose watch lives may rest for longer, and is asked meanwhile whether that still holds: its watch may end.
   */
  function arm(): void {
    timer?.cancel();
    if (closed || !store.canChange) return;
    const calmMs = store.pollMs?.() ?? options.pollMs;
    // A store that asks to be left alone fails a read without asking its server.
    const restMs = failed ? Math.min(calmMs, options.pollMs) : calmMs;
    const dueAt = polledAt + (urgent ? Math.min(urgentMs(), restMs) : restMs);
    timer = clock.after(Math.min(dueAt - clock.monotonic(), options.pollMs), () => {
      if (clock.monotonic() < dueAt) {
        arm();
        return;
      }
      polledAt = clock.monotonic();
      urgentPolls = urgent ? urgentPolls + 1 : 0;
      refresh().then(arm, arm);
    });
  }

  return {
    refresh,
    start() {
      unwatch = store.watch?.(() => {
        refresh().catch(() => {
          polledAt = clock.monotonic();
          arm();
        });
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
