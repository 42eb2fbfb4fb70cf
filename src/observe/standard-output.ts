import { constants, fstatSync, openSync, write, writeSync } from "node:fs";
import { isatty } from "node:tty";

import type { Clock, Timer } from "../clock.ts";
import { systemCode } from "../errors.ts";

/** What the log needs of a stream; `process.stdout` has it. */
export interface LogStream {
  write(text: string, done: (error?: Error | null) => void): unknown;
  /** Bytes that were written but not taken by the system yet. */
  readonly writableLength: number;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * Standard output, or standard error, as a stream on which nobody ever waits. A pipe's or a
 * socket's own stream does that already. Node writes a terminal and a file on the main thread: a
 * terminal that nobody reads would stop every call, and so would a disk that hangs.
 *
 * Measured on Node 26: a pipe costs what it did, a terminal less; a file costs 7 µs a line more
 * where eight are written together, 45 µs where one is alone, most of it in another thread.
 */
export function openStandardStream(
  fd: 1 | 2,
  { clock }: { readonly clock: Pick<Clock, "after"> },
): LogStream {
  const own = isatty(fd) ? reopen(fd) : undefined;
  if (own !== undefined) return createTerminalStream(own, clock);
  if (fstatSync(fd).isFile()) return createFileStream(fd);
  return fd === 1 ? process.stdout : process.stderr;
}

/**
 * The terminal again, by an opening of our own: that it does not block is a property of the
 * opening, and others have the first one. Undefined where the system refuses that.
 */
function reopen(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

/** For words that come before an end: written at once, or not at all. */
export function tellUnwaited(text: string): void {
  const own = isatty(2) ? reopen(2) : undefined;
  if (own === undefined) {
    process.stderr.write(text);
    return;
  }
  try {
    writeSync(own, text);
  } catch {
    // Nobody reads the terminal.
  }
}

interface Piece {
  rest: Buffer;
  readonly done: (error?: Error | null) => void;
}

/** Between two tries at a terminal that takes nothing, milliseconds: twice as long each time, up to the longest. */
const shortestPauseMs = 1;
const longestPauseMs = 100;

function createTerminalStream(fd: number, clock: Pick<Clock, "after">): LogStream {
  const pieces: Piece[] = [];
  let length = 0;
  let timer: Timer | undefined;
  let pauseMs = shortestPauseMs;

  function writeOut(): void {
    timer = undefined;
    for (let first = pieces[0]; first !== undefined; first = pieces[0]) {
      let error: Error | null = null;
      try {
        const written = first.rest.length === 0 ? 0 : writeSync(fd, first.rest);
        length -= written;
        pauseMs = shortestPauseMs;
        first.rest = first.rest.subarray(written);
        if (first.rest.length > 0) continue;
      } catch (cause) {
        if (systemCode(cause) === "EAGAIN") {
          timer = clock.after(pauseMs, writeOut);
          pauseMs = Math.min(2 * pauseMs, longestPauseMs);
          return;
        }
        length -= first.rest.length;
        error = cause instanceof Error ? cause : new Error("not written", { cause });
      }
      pieces.shift();
      first.done(error);
    }
  }

  return {
    write(text, done) {
      const rest = Buffer.from(text);
      length += rest.length;
      pieces.push({ rest, done });
      if (timer === undefined) writeOut();
    },
    get writableLength() {
      return length;
    },
    on() {},
  };
}

/** One write at a time, in a thread of the runtime's pool: no more than one is ever waited with. */
function createFileStream(fd: number): LogStream {
  let pieces: Piece[] = [];
  let writing = false;
  let exiting = false;
  let length = 0;

  function writeOut(): void {
    const now = pieces;
    pieces = [];
    const end = (error: Error | null): void => {
      for (const { rest, done } of now) {
        length -= rest.length;
        done(error);
      }
    };
    writeWhole(Buffer.concat(now.map(({ rest }) => rest)), (error) => {
      writing = false;
      end(error);
      if (pieces.length > 0 && !writing) {
        writing = true;
        writeOut();
      }
    });
  }

  function writeWhole(bytes: Buffer, done: (error: Error | null) => void): void {
    if (bytes.length === 0) {
      done(null);
      return;
    }
    write(fd, bytes, (error, written) => {
      if (error !== null) done(error);
      else writeWhole(bytes.subarray(written), done);
    });
  }

  process.once("exit", () => {
    exiting = true;
  });

  return {
    write(text, done) {
      const rest = Buffer.from(text);
      if (exiting) {
        // No thread would come to it any more.
        if (!writing) writeSync(fd, rest);
        return;
      }
      length += rest.length;
      pieces.push({ rest, done });
      if (writing) return;
      writing = true;
      writeOut();
    },
    get writableLength() {
      return length;
    },
    on() {},
  };
}
