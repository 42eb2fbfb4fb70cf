import { Problem } from "../errors.ts";
import type { CancelReason } from "../lib/async.ts";
import { type Call, CallerGone } from "./call.ts";
import type { SendLimiter } from "./with-token.ts";

/** How much may be under way at once. */
export interface Limits {
  /** Calls being sent. */
  readonly maxInFlight: number;
  /** Calls waiting, held ones too. */
  readonly maxQueue: number;
  /** Bytes of all bodies and replies in memory. */
  readonly maxBuffered: number;
}

/** Bounds what is under way: turns to send, places to wait, and memory. */
export interface Limiter extends SendLimiter {
  /**
   * True if a new call could only be refused.
   * @param underWay calls that have begun and not ended, those whose body still comes included
   */
  isFull(underWay: number): boolean;
  /** Takes `bytes` of the memory for bodies and replies; false, and takes none, if there is not that much left. */
  reserve(bytes: number): boolean;
  free(bytes: number): void;
  /** Calls `run` once no call is being sent; answers what calls that off. */
  whenQuiet(run: () => void): () => void;
  /** Calls being sent, calls waiting, bytes held. */
  load(): { readonly inFlight: number; readonly queued: number; readonly buffered: number };
}

/** The refusal of a call for which there is no place. */
export function overloaded(
  detail = "as many calls are being sent and wait as may; nothing was sent",
): Problem {
  return new Problem("overloaded", { detail, retryAfter: 1 });
}

function whyStopped(why: CancelReason): Error {
  if (why === "caller-gone") return new CallerGone();
  return overloaded("time ran out before this call's turn came; nothing was sent");
}

/** Waits in the queue until the call is handed a turn; rejects if it is stopped before that. */
function queueUp(queue: Set<() => void>, call: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    if (call.cancelReason !== undefined) {
      reject(whyStopped(call.cancelReason));
      return;
    }
    const leave = (): void => {
      queue.delete(take);
      call.waiting = undefined;
    };
    const take = (): void => {
      leave();
      resolve();
    };
    call.waiting = {
      cancelled(why) {
        leave();
        reject(whyStopped(why));
      },
    };
    call.waitedFor = "turn";
    queue.add(take);
  });
}

export function createLimiter(limits: Limits): Limiter {
  /** In the order of their coming; each takes the turn that it is handed. */
  const queue = new Set<() => void>();
  /** Twice what may be sent and wait: as many again may still be sending their bodies. */
  const mostUnderWay = Math.max(64, 2 * (limits.maxInFlight + limits.maxQueue));
  const listeners = new Set<() => void>();
  let inFlight = 0;
  let heldElsewhere = 0;
  let buffered = 0;

  const waiting = (): number => queue.size + heldElsewhere;

  return {
    tryAcquire() {
      if (inFlight >= limits.maxInFlight) return false;
      inFlight += 1;
      return true;
    },
    async acquire(call) {
      if (waiting() >= limits.maxQueue) throw overloaded();
      await queueUp(queue, call);
    },
    release() {
      const [first] = queue;
      if (first !== undefined) {
        first();
        return;
      }
      inFlight -= 1;
      if (inFlight > 0 || listeners.size === 0) return;
      for (const run of listeners) run();
      listeners.clear();
    },
    tryEnqueue() {
      if (waiting() >= limits.maxQueue) return false;
      heldElsewhere += 1;
      return true;
    },
    enqueue() {
      heldElsewhere += 1;
    },
    dequeue() {
      heldElsewhere -= 1;
    },
    isFull: (underWay) =>
      underWay >= mostUnderWay || (inFlight >= limits.maxInFlight && waiting() >= limits.maxQueue),
    reserve(bytes) {
      if (buffered + bytes > limits.maxBuffered) return false;
      buffered += bytes;
      return true;
    },
    free(bytes) {
      buffered -= bytes;
    },
    whenQuiet(run) {
      if (inFlight === 0) run();
      else listeners.add(run);
      return () => void listeners.delete(run);
    },
    load: () => ({ inFlight, queued: waiting(), buffered }),
  };
}
