/** Something that will happen, unless it is called off. */
export interface Coming {
  readonly at: number;
  readonly serial: number;
  run: (() => void) | undefined;
}

/** Simulated time, and everything that is to happen in it, in order. Milliseconds from the beginning. */
export interface Timeline {
  now(): number;
  /** Runs `run` after `delayMs`. What falls on the same moment happens in the order in which it was asked for. */
  after(delayMs: number, run: () => void): Coming;
  cancel(coming: Coming): void;
  /** How many things have happened. */
  steps(): number;
  /**
   * Lets things happen, one after the other, until `isOver` says so or nothing is left. After each
   * all promises settle before the next.
   * @throws whatever a step or `isOver` throws
   */
  run(isOver: () => boolean): Promise<void>;
}

/** @param whenDone calls back when what a step has brought about is done */
export function createTimeline(whenDone: (run: () => void) => void = whenSettled): Timeline {
  const heap: Coming[] = [];
  let now = 0;
  let serial = 0;
  let steps = 0;

  function push(coming: Coming): void {
    let index = heap.length;
    heap.push(coming);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !isBefore(coming, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = coming;
  }

  function pop(): Coming | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childIndex += 1;
      }
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
    return first;
  }

  function nextDue(): Coming | undefined {
    let coming = pop();
    while (coming !== undefined && coming.run === undefined) coming = pop();
    return coming;
  }

  return {
    now: () => now,
    steps: () => steps,
    after(delayMs, run) {
      serial += 1;
      const coming = { at: now + Math.max(0, delayMs), serial, run };
      push(coming);
      return coming;
    },
    cancel(coming) {
      coming.run = undefined;
    },
    run(isOver) {
      return new Promise((resolve, reject) => {
        const step = (): void => {
          try {
            const coming = isOver() ? undefined : nextDue();
            if (coming === undefined) {
              resolve();
              return;
            }
            now = coming.at;
            steps += 1;
            coming.run?.();
            whenDone(step);
          } catch (error) {
            reject(error);
          }
        };
        step();
      });
    },
  };
}

function isBefore(one: Coming, other: Coming): boolean {
  return one.at < other.at || (one.at === other.at && one.serial < other.serial);
}

/**
 * Calls back when no promise has anything left to do. A tick that is asked for from within a
 * microtask runs when the microtask queue is empty, whatever was added to it meanwhile; that
 * costs half of what a turn of the event loop does.
 */
function whenSettled(run: () => void): void {
  queueMicrotask(() => process.nextTick(run));
}
