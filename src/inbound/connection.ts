import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { Clock } from "../clock.ts";
import type { Problem } from "../errors.ts";
import { stopReading } from "../lib/node-http.ts";

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
  /** The reply to the newest request that was refused, while it is due, and the call behind which it came. */
  refused: { readonly reply: ServerResponse; readonly behind: CallOnConnection | undefined } | undefined;
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

/** The last reply that is due on a connection; undefined where none is. */
export function lastDue({ calls, refused }: Connection): ServerResponse | undefined {
  const last = calls.at(-1);
  const isRefusedLast = refused !== undefined && (last === undefined || last === refused.behind);
  return isRefusedLast ? refused.reply : last?.reply;
}

/** Replies are due to requests that have come whole: what was written past them would be taken for one of them. */
export function owesReplies({ calls, refused }: Connection): boolean {
  return calls.length > 0 || refused?.reply.req.complete === true;
}

/** The reply to a request that was refused is due. */
export function owesRefusal(connection: Connection, reply: ServerResponse): void {
  const refused = { reply, behind: connection.calls.at(-1) };
  connection.refused = refused;
  reply.once("close", () => {
    if (connection.refused === refused) connection.refused = undefined;
  });
}

/** Nothing more is read; the connection ends with the last reply that is still due on it. */
export function closeAfterLast(connection: Connection): void {
  const last = lastDue(connection);
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
    refused: undefined,
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
