import type { Socket } from "node:net";

import { atEndOfTurn, type Clock } from "../clock.ts";
import { readOn, stopReading } from "../lib/node-http.ts";
import type { Connection } from "./connection.ts";

// What a turn of the event loop is spent on. There is one for all callers, so that none of them may have all of it.

/**
 * Lets a wave of connections in before requests are served. Node accepts one connection a turn of
 * the event loop, and each turn serves all that are in: the last of a wave of callers waited for
 * hundreds of turns. While more connections come than were open within the last second, requests
 * wait; until a turn brings none, and two milliseconds at most. Callers without keep-alive, each of
 * whose calls is a connection in the place of one that has closed, are no wave: a wait would only
 * make a turn more for each.
 */
export interface AcceptFirst {
  /**
   * A connection was accepted.
   * @param open how many are open now, with this one
   */
  connected(open: number): void;
  /** While connections come, what is served has to wait. */
  isHolding(): boolean;
  /** Keeps it until then; in the order in which it came. */
  hold(serve: () => void): void;
  /** Whatever else happens on a connection comes after the requests that came on it. */
  flush(): void;
}

const longestMs = 2;
/** So long the most that were open at once count as usual. */
const usualMs = 1_000;

export function createAcceptFirst(clock: Pick<Clock, "monotonic">): AcceptFirst {
  let held: (() => void)[] = [];
  let holding = false;
  let anyNew = false;
  let since = 0;
  let most = 0;
  let mostAt = -Infinity;

  function isWave(open: number, now: number): boolean {
    if (open <= most && now - mostAt < usualMs) return false;
    most = open;
    mostAt = now;
    return true;
  }

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
    connected(open) {
      anyNew = true;
      const now = clock.monotonic();
      if (!isWave(open, now) || holding) return;
      holding = true;
      since = now;
      atEndOfTurn(endOfTurn);
    },
    isHolding: () => holding,
    hold: (serve) => void held.push(serve),
    flush,
  };
}

/**
 * Bodies that come in very small pieces. Each piece costs some microseconds however little it holds, and one read
 * brings ten thousand of them; so callers who do that are read one after the other, and whoever else is waiting is
 * served in between. Who does it shows only when it is read: once a turn of the event loop has had its pieces,
 * nobody else is read in it.
 */
export interface SmallPieces {
  /** One has come of a body on this socket. */
  came(socket: Socket): void;
}

/** From one socket without one from another between them: no client has to send a body so. */
const manyPieces = 256;
/** How often so many may come in one turn: a read that is full of pieces brings more. */
const mostATurn = 32;

export function createSmallPieces(open: ReadonlySet<Pick<Connection, "socket">>): SmallPieces {
  /** Those that are known for it, in the order of their coming; each is read when it is its turn. */
  const known = new Set<Socket>();
  /** All others, for the rest of a turn that has had its pieces. */
  let others: Socket[] = [];
  let inTurn = 0;
  let latest: Socket | undefined;
  let ofLatest = 0;

  function nextTurn(): void {
    const stopped = others;
    others = [];
    inTurn = 0;
    // Before those that are known: among them are callers that only came at the wrong moment.
    if (stopped.length > 0) {
      for (const socket of stopped) readOn(socket);
    } else {
      const [first] = known;
      if (first !== undefined) {
        known.delete(first);
        readOn(first);
      }
    }
    if (known.size > 0) atEndOfTurn(nextTurn);
  }

  function stopOthers(): void {
    for (const { socket } of open) {
      if (known.has(socket)) continue;
      stopReading(socket);
      others.push(socket);
    }
  }

  function many(socket: Socket): void {
    inTurn += 1;
    if (!known.has(socket)) {
      stopReading(socket);
      known.add(socket);
      if (known.size === 1) atEndOfTurn(nextTurn);
    }
    if (inTurn === mostATurn) stopOthers();
  }

  return {
    came(socket) {
      if (socket !== latest) {
        latest = socket;
        ofLatest = 0;
      }
      ofLatest += 1;
      if (ofLatest % manyPieces === 0) many(socket);
    },
  };
}
