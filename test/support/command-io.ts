import { Readable } from "node:stream";

import type { Io, Source } from "../../src/cli/command.ts";
import { runCommand } from "../../src/cli/run.ts";
import { type Clock, systemClock } from "../../src/clock.ts";

/** What a command sees, and what it has written. */
export interface TestIo {
  readonly io: Io;
  /** Standard output so far. */
  readonly out: () => string;
  /** Standard error so far. */
  readonly err: () => string;
  /** What the first SIGINT or SIGTERM does. */
  readonly stop: (reason: unknown) => void;
  /** What SIGHUP does. */
  readonly hangUp: () => void;
}

export interface TestIoOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Standard input: its bytes, or a stream. */
  readonly stdin?: string | Buffer | Source;
  readonly clock?: Clock;
  /** Is standard output a terminal? */
  readonly terminal?: boolean;
}

/** Surroundings for a command that runs in the test's own process. */
export function createTestIo(options: TestIoOptions = {}): TestIo {
  const written = { out: "", err: "" };
  const stop = new AbortController();
  const hangups: (() => void)[] = [];
  const given = options.stdin ?? "";
  const stdin =
    typeof given === "string" || Buffer.isBuffer(given) ? Readable.from([Buffer.from(given)]) : given;
  return {
    io: {
      env: options.env ?? {},
      execArgv: [],
      stdin,
      stdout: { write: (text) => (written.out += text), isTTY: options.terminal },
      stderr: { write: (text) => (written.err += text), isTTY: options.terminal },
      signal: stop.signal,
      onHangup: (run) => void hangups.push(run),
      beforeExit: () => {},
      clock: options.clock ?? systemClock,
    },
    out: () => written.out,
    err: () => written.err,
    stop: (reason) => stop.abort(reason),
    hangUp: () => hangups.forEach((run) => run()),
  };
}

/** What a command came to. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, to its end. */
export async function runHere(argv: readonly string[], options: TestIoOptions = {}): Promise<Ran> {
  const { io, out, err } = createTestIo(options);
  const code = await runCommand(argv, io);
  return { code, out: out(), err: err() };
}
