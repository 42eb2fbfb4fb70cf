import { pino } from "pino";

import { type Clock, systemClock } from "../clock.ts";
import { sleepUnlessAborted } from "../lib/async.ts";
import { describeError } from "./describe-error.ts";
import type { LogFields } from "./log-fields.ts";
import { type LineShape, lineShape, type LogFormat } from "./log-format.ts";
import { type LogStream, openStandardStream } from "./standard-output.ts";

/** pino's levels. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Levels that the program itself writes at. */
type WrittenLevel = "debug" | "info" | "warn" | "error" | "fatal";

export interface Log {
  /** Is anything of this level written? Spares the making of a line that is not. */
  enabled(level: WrittenLevel): boolean;
  /** @param error reduced by `describeError` before it is written, as `err` */
  write(level: WrittenLevel, message: string, fields?: LogFields, error?: unknown): void;
  /** The line of a finished call: as `write`, but for the hot path. */
  call(level: WrittenLevel, fields: LogFields, error?: unknown): void;
  /** Lines lost since the start, because standard output was not read or could not be written. */
  lost(): number;
  /** To be awaited before the process ends. Resolves when all lines were taken, or after `withinMs` (1000) if nobody reads. */
  flush(withinMs?: number): Promise<void>;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** `json` unless given. */
  readonly format?: LogFormat;
  /** Levels have colours, in text. */
  readonly colours?: boolean;
  /** `service.name` of each line; `presto-sidecar` unless given. */
  readonly service?: string | undefined;
  /** Standard output unless given. */
  readonly destination?: LogStream;
  readonly clock?: Clock;
}

/** Names that must never be logged. Nothing is known to log them: this is the second net. */
const secretNames = [
  "authorization",
  "Authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "token",
  "secret",
  "password",
  "current_password",
  "new_password",
  "email",
  "key",
  "keys",
  "headers",
  "body",
  "query",
];
const censor = "[secret]";
/** Paths with a wildcard cost 7 µs a line, without 0.1; so the hot path, flat by its type, does without. */
const flatRedaction = ({ prefix }: LineShape): { paths: string[]; censor: string } => ({
  paths: secretNames.map((name) => `["${prefix}${name}"]`),
  censor,
});
const deepRedaction = (shape: LineShape): { paths: string[]; censor: string } => ({
  paths: [
    ...flatRedaction(shape).paths,
    ...secretNames.flatMap((name) => [`*["${name}"]`, `*.*["${name}"]`]),
  ],
  censor,
});

/** The program's log, a line each: JSON with ISO time and level by name, or as `format` says. */
export function createLog(options: LogOptions): Log {
  const clock = options.clock ?? systemClock;
  const shape = lineShape({
    format: options.format ?? "json",
    colours: options.colours,
    service: options.service ?? "presto-sidecar",
  });
  const destination = createLogDestination({
    stream: options.destination ?? openStandardStream(1, { clock }),
    clock,
    onLost: (lines) => {
      rare.warn(
        { lines },
        "Log lines were lost, because standard output was not read fast enough or could not be written.",
      );
    },
  });
  // `process.exit` without a flush: what a pipe or a file has room for still goes out.
  if (options.destination === undefined) process.once("exit", destination.push);

  const calls = pino(
    {
      level: options.level,
      base: shape.base,
      messageKey: shape.messageKey,
      timestamp: createTimestamps(clock, shape.timeKey),
      // pino's own would look for a stack in what describeError has made.
      serializers: { err: (described: unknown) => described },
      formatters: {
        level: (label) => ({ [shape.levelKey]: label }),
        ...(shape.rename === undefined ? {} : { log: shape.rename }),
      },
      redact: flatRedaction(shape),
    },
    printed(destination, shape),
  );
  const rare = calls.child({}, { redact: deepRedaction(shape) });

  return {
    enabled: (level) => calls.isLevelEnabled(level),
    write: (level, message, fields, error) => rare[level](withError(fields ?? {}, error), message),
    call: (level, fields, error) => calls[level](withError(fields, error), "call"),
    lost: destination.lost,
    flush: (withinMs = 1000) => destination.flush(withinMs),
  };
}

/** JSON goes out as pino has made it; a text for people is made of that, so that the same is kept out of both. */
function printed(destination: LogDestination, { print }: LineShape): Pick<LogDestination, "write"> {
  return print === undefined ? destination : { write: (line) => destination.write(print(line)) };
}

/** Many lines are of one millisecond, and to format a time costs a quarter of a line. */
function createTimestamps(clock: Clock, key: string): () => string {
  let lastMs = Number.NaN;
  let text = "";
  return () => {
    const now = Math.floor(clock.now());
    if (now !== lastMs) {
      lastMs = now;
      text = `,"${key}":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}

function withError(fields: LogFields, error: unknown): object {
  return error === undefined ? fields : { ...fields, err: describeError(error) };
}

export interface LogDestinationOptions {
  readonly stream: LogStream;
  readonly clock: Clock;
  /** Told, once the stream has taken lines again, how many were lost meanwhile. */
  readonly onLost: (lines: number) => void;
}

export interface LogDestination {
  /** Takes one line. Never throws, never waits. */
  write(line: string): void;
  /** Lines lost since the start. */
  lost(): number;
  /** Hands all lines to the stream at once, without waiting until it has taken them. For the moment of exit. */
  push(): void;
  /** Resolves when the system has taken all lines, or after `withinMs`. */
  flush(withinMs: number): Promise<void>;
}

/** Bytes kept for a reader that does not read: about 3000 lines. */
const mostPending = 1024 * 1024;

/**
 * Writes lines in batches, one write for all lines of about a millisecond, and never waits for
 * the reader.
 *
 * Measured on Node 26 with a pipe: one line costs pino 2 µs, its write 0.2 to 1 µs when batched
 * like this with 8 to 32 calls under way (2.4 µs alone), 2 to 3 µs unbatched. pino's own
 * destination costs 2 to 3 µs in `sync` mode, and a reader that stops reading stops the whole
 * program, money calls included. In its other mode the write waits in a thread of libuv's pool,
 * and the process can then not exit: it hung until it was killed. Node's stream of a pipe does
 * neither; it keeps what is not read, without a bound, so the bound is here: above it lines are
 * dropped and counted. Terminals and files: see `openStandardStream`.
 */
export function createLogDestination({ stream, clock, onLost }: LogDestinationOptions): LogDestination {
  let batch = "";
  let linesInBatch = 0;
  let lost = 0;
  let untold = 0;
  let scheduled = false;

  const lose = (lines: number): void => {
    lost += lines;
    untold += lines;
  };

  // A reader that went away (EPIPE) or a full disk is no reason to stop serving. The lines are
  // counted in the write's own callback; without this listener the process would end.
  stream.on("error", () => {});

  function push(): void {
    if (batch === "") return;
    const text = batch;
    const lines = linesInBatch;
    batch = "";
    linesInBatch = 0;
    stream.write(text, (error) => {
      if (error) lose(lines);
      else tellLost();
    });
  }

  /** Only once something was taken again: before that, the telling would be lost too. */
  function tellLost(): void {
    if (untold === 0) return;
    const lines = untold;
    untold = 0;
    onLost(lines);
  }

  function endOfBatch(): void {
    scheduled = false;
    push();
  }

  return {
    write(line) {
      if (batch.length + stream.writableLength + line.length > mostPending) {
        lose(1);
        return;
      }
      batch += line;
      linesInBatch += 1;
      if (scheduled) return;
      scheduled = true;
      clock.after(0, endOfBatch);
    },
    lost: () => lost,
    push,
    async flush(withinMs) {
      push();
      const taken = new AbortController();
      stream.write("", () => taken.abort());
      // It keeps the process alive, for what comes after it: a terminal's stream by itself does not.
      await sleepUnlessAborted(clock, withinMs, taken.signal);
    },
  };
}
