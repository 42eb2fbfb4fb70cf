import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { atEndOfTurn, type Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import { readOn, stopReading } from "../lib/node-http.ts";
import { type Limiter, overloaded } from "../upstream/limiter.ts";

/** What a connection needs to know of a call that came on it. */
export interface CallOnConnection {
  readonly reply: ServerResponse;
  /** The caller closed its side for writing. */
  halfClosed(): void;
  /** Time is over for it, whatever it waits for: the caller is told what is known by `until` (monotonic milliseconds). */
  expire(until: number): void;
  /** The process ends, and this call with it, unless it ends by itself before that. */
  cutOff(): void;
  /** The process ends now: reports what is known of it. */
  abandon(): void;
  /** The bytes of the body can't be had: ends the call with this problem. False if the body is complete already. */
  failBody(problem: Problem): boolean;
}

/** A caller's connection, and the calls on it that are not over. */
export interface Connection {
  readonly socket: Socket;
  readonly unixSocket: boolean;
  /** `127.0.0.1:41234` or `unix`, for the log. */
  readonly peer: string;
  /** In the order of their coming; more than one only where the caller pipelines. */
  readonly calls: CallOnConnection[];
  /** Nothing more is read from it as HTTP: it closes when what is under way is answered. */
  closing: boolean;
  /** No further request is taken from it: it closes with the reply to the one that came last. */
  lastTaken: boolean;
  /** The caller has closed its side: for writing alone, or all of it. */
  halfClosed: boolean;
  /** Set while nothing is read from it, because as many calls are under way on it as may. */
  readOn: (() => void) | undefined;
}

/**
 * More than any client sends ahead. What has come in the same read is served beyond it: 64 KiB,
 * some 500 calls.
 */
const mostUnanswered = 64;

/**
 * Stops reading a connection with many unanswered calls: each that is read ahead costs some 10 KB,
 * and nothing else bounds how many one caller sends. For when the newest call's body has come.
 */
export function stopIfFull(connection: Connection): void {
  if (connection.readOn !== undefined || connection.calls.length < mostUnanswered) return;
  const { socket } = connection;
  const resume = socket.resume.bind(socket);
  // A resume that was called before this comes into effect after it.
  const stayStopped = (): void => stopReading(socket);
  socket.on("resume", stayStopped);
  // Node resumes the socket whenever it has written a reply.
  socket.resume = () => socket;
  connection.readOn = () => {
    connection.readOn = undefined;
    socket.off("resume", stayStopped);
    socket.resume = resume;
    socket.resume();
  };
  socket.pause();
}

/** Reads on once half of them are answered. */
export function readOnIfAnswered({ calls, readOn }: Connection): void {
  if (readOn !== undefined && calls.length <= mostUnanswered / 2) readOn();
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

/** Nothing more is read; the connection ends with the last reply that is still due on it. */
export function closeAfterLast(connection: Connection): void {
  const last = connection.calls.at(-1)?.reply;
  if (last === undefined) return;
  if (!last.headersSent) last.shouldKeepAlive = false;
  last.once("close", () => connection.socket.destroySoon());
}

export function createConnection(socket: Socket, unixSocket: boolean): Connection {
  const host = socket.remoteAddress ?? "";
  return {
    socket,
    unixSocket,
    peer: unixSocket ? "unix" : `${host.includes(":") ? `[${host}]` : host}:${socket.remotePort ?? 0}`,
    calls: [],
    closing: false,
    lastTaken: false,
    halfClosed: false,
    readOn: undefined,
  };
}

/**
 * Ends a connection at once, and so that no reply on it is taken for whole: by a reset, since
 * to a caller of HTTP/1.0 a plain end is that of the reply. A Unix socket has no reset.
 */
export function cutOff({ socket, unixSocket }: Connection): void {
  if (unixSocket) {
    socket.destroy();
    return;
  }
  // By itself a reset waits for what is being written, and sends a FIN before it.
  socket.destroySoon = () => void socket.destroy();
  socket.resetAndDestroy();
}

/** Longest time that bytes nobody wants are read after a last reply, milliseconds. */
const lingerMs = 10_000;

/**
 * Writes the last reply of a connection, and goes on reading until the caller has finished:
 * closing with unread bytes would send a TCP reset, which can take the reply away from a
 * caller that is still sending (RFC 9112 section 9.6).
 */
export function endLingering(connection: Connection, reply: string, clock: Clock): void {
  if (connection.closing) return;
  connection.closing = true;
  const { socket } = connection;
  const timer = clock.after(lingerMs, () => socket.destroy());
  socket.once("close", () => timer.cancel());
  socket.once("end", () => socket.destroySoon());
  socket.on("error", () => socket.destroy());
  socket.end(reply, "latin1");
  socket.resume();
}

/**
 * Calls whose body is still coming. Each has a place and memory, and none has to be quick: where
 * that would shut another call out, the one that has been coming for the longest gives way.
 */
export interface SlowBodies {
  begun(call: ReceivedCall): void;
  ended(call: ReceivedCall): void;
  /** False where none has been coming for long. */
  giveWay(): boolean;
}

export type ReceivedCall = Pick<CallOnConnection, "failBody"> & { readonly arrivedAt: number };

/** What a caller that lives on this machine needs for a body, many times over, milliseconds. */
const slowAfterMs = 1_000;

export function createSlowBodies(clock: Pick<Clock, "monotonic">): SlowBodies {
  /** In the order of their coming. */
  const calls: ReceivedCall[] = [];
  return {
    begun: (call) => void calls.push(call),
    ended(call) {
      const index = calls.indexOf(call);
      if (index !== -1) calls.splice(index, 1);
    },
    giveWay() {
      const [oldest] = calls;
      if (oldest === undefined || clock.monotonic() - oldest.arrivedAt < slowAfterMs) return false;
      return oldest.failBody(
        new Problem("request-timeout", {
          detail: "the request's body came slowly and made room for other calls; nothing was sent",
        }),
      );
    },
  };
}

export interface CallsUnderWayDeps {
  readonly limiter: Pick<Limiter, "isFull">;
  readonly slowBodies: Pick<SlowBodies, "giveWay">;
  readonly clock: Clock;
}

/** Keeps accepted calls until they are over in every way, and knows whether another may be accepted. */
export interface CallsUnderWay {
  /** Why another call can't be accepted now; undefined if it can. */
  refusal(): Problem | undefined;
  begun(call: CallOnConnection): void;
  over(call: CallOnConnection): void;
  /** Those of callers that have gone, too. */
  all(): readonly CallOnConnection[];
  count(): number;
  /** From now on new calls are refused: the sidecar shuts down. */
  drain(): void;
  isDraining(): boolean;
  /** Resolves when no call is under way, or at `until` (monotonic milliseconds). */
  idle(until: number): Promise<"clean" | "cut-off">;
}

export function createCallsUnderWay({ limiter, slowBodies, clock }: CallsUnderWayDeps): CallsUnderWay {
  // No Set: what every call enters and leaves would keep calls alive (docs/decisions/memory.md).
  const calls: CallOnConnection[] = [];
  let draining = false;
  let whenIdle: (() => void) | undefined;

  return {
    refusal() {
      if (draining)
        return new Problem("draining", {
          detail: "this sidecar is shutting down; send to another, or again soon",
          retryAfter: 1,
        });
      if (!limiter.isFull(calls.length)) return undefined;
      slowBodies.giveWay();
      return limiter.isFull(calls.length) ? overloaded() : undefined;
    },
    begun: (call) => void calls.push(call),
    over(call) {
      const index = calls.indexOf(call);
      if (index === -1) return;
      const last = calls.pop();
      if (last !== undefined && last !== call) calls[index] = last;
      if (calls.length === 0) whenIdle?.();
    },
    all: () => [...calls],
    count: () => calls.length,
    drain() {
      draining = true;
    },
    isDraining: () => draining,
    idle(until) {
      return new Promise((resolve) => {
        const timer = clock.after(until - clock.monotonic(), () => resolve("cut-off"));
        whenIdle = () => {
          timer.cancel();
          resolve("clean");
        };
        if (calls.length === 0) whenIdle();
      });
    },
  };
}
