/** Something that will happen, unless it is called off. */
export interface Coming {
  readonly at: number;
  readonly serial: number;
  /** Undefined once it has happened, or was called off. */
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

/** Fewer are not worth the looking. */
const leastCalledOff = 1_000;

/** @param whenDone calls back when what a step has brought about is done */
export function createTimeline(whenDone: (run: () => void) => void = whenSettled): Timeline {
  let heap: Coming[] = [];
  /** How many in the heap were called off. */
  let calledOff = 0;
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
    while (coming !== undefined && coming.run === undefined) {
      calledOff -= 1;
      coming = pop();
    }
    return coming;
  }

  /** A list in order is a heap, too. */
  function forgetCalledOff(): void {
    heap = heap
      .filter(({ run }) => run !== undefined)
      .toSorted((one, other) => (isBefore(one, other) ? -1 : 1));
    calledOff = 0;
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
      if (coming.run === undefined) return;
      coming.run = undefined;
      calledOff += 1;
      // Calls that wait set a timer, and call it off, at each change: for as long as their deadline it would stand here.
      if (calledOff > leastCalledOff && calledOff > heap.length / 2) forgetCalledOff();
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
            const { run } = coming;
            // Whoever calls it off from now on calls off nothing.
            coming.run = undefined;
            run?.();
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

const settled = Promise.resolve();

/**
 * Calls back when no promise has anything left to do. A tick that is asked for from within a
 * microtask runs when the microtask queue is empty, whatever was added to it meanwhile; that
 * costs half of what a turn of the event loop does. `queueMicrotask` would make an asynchronous
 * resource of it, for hooks that nobody has set.
 */
function whenSettled(run: () => void): void {
  void settled.then(() => process.nextTick(run));
}
