import { atEndOfTurn, type Clock } from "../clock.ts";

/**
 * Lets connections in before requests are served. Node accepts one connection a turn of the
 * event loop, and each turn serves all that are in: the last of a wave of callers waited for
 * hundreds of turns. While connections come, requests wait; until a turn brings none, and
 * two milliseconds at most.
 */
export interface AcceptFirst {
  /** A connection was accepted. */
  connected(): void;
  /** While connections come, what is served has to wait. */
  isHolding(): boolean;
  /** Keeps it until then; in the order in which it came. */
  hold(serve: () => void): void;
  /** Whatever else happens on a connection comes after the requests that came on it. */
  flush(): void;
}

const longestMs = 2;

export function createAcceptFirst(clock: Pick<Clock, "monotonic">): AcceptFirst {
  let held: (() => void)[] = [];
  let holding = false;
  let anyNew = false;
  let since = 0;

  function endOfTurn(): void {
    if (!holding) return;
    if (anyNew && clock.monotonic() - since < longestMs) {
      anyNew = false;
      atEndOfTurn(endOfTurn);
    } else {
      flush();
    }
  }

  function flush(): void {
    holding = false;
    const now = held;
    held = [];
    for (const serve of now) serve();
  }

  return {
    connected() {
      anyNew = true;
      if (holding) return;
      holding = true;
      since = clock.monotonic();
      atEndOfTurn(endOfTurn);
    },
    isHolding: () => holding,
    hold: (serve) => void held.push(serve),
    flush,
  };
}
