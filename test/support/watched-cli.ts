import { startCli } from "./built-cli.ts";
import type { CliOptions, RunningCli } from "./built-cli.ts";
import { until } from "./until.ts";

/** A line of the program's log, parsed. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The built program, running, with its log read as it comes. */
export interface WatchedCli extends RunningCli {
  /** `performance.now()` at its start. */
  readonly spawnedAt: number;
  /** The log's lines so far, without those of single calls. */
  lines(): readonly LogLine[];
  /** The first line of that kind, from the given one on; waits for it. Undefined if the process ended without it. */
  line(holds: (line: LogLine) => boolean, from?: number): Promise<LogLine | undefined>;
  /**
   * Resolves when no renewal is under way, and the last one has said how it ended. What is stored is not told
   * yet: a wish that comes before that is fulfilled by what is stored already.
   */
  rested(withinMs: number): Promise<void>;
}

/** Starts `node dist/main.js ARGV` and follows its log. */
export function watchCli(argv: readonly string[], options: CliOptions): WatchedCli {
  const spawnedAt = performance.now();
  const running = startCli(argv, options);
  // Whoever started it may end in the middle; it must not go on alone.
  const endWithUs = (): void => void running.child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const lines: LogLine[] = [];
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  let rest = "";
  let over = false;
  // Encoded by whoever started it: chunks are text.
  running.child.stdout?.on("data", (text: string) => {
    const parts = `${rest}${text}`.split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (!part.includes('"msg":"call"')) lines.push(parseLine(part));
    wake();
  });
  void running.ended.then(() => {
    process.removeListener("exit", endWithUs);
    over = true;
    wake();
  });
  return {
    ...running,
    spawnedAt,
    lines: () => lines,
    rested: (withinMs) =>
      until(() => (isAtRest(lines) ? true : undefined), { withinMs, what: "the end of a renewal" }).then(
        () => {},
      ),
    line: (holds, from = 0) =>
      new Promise((resolve) => {
        let at = from;
        const look = (): void => {
          while (at < lines.length) {
            const line = lines[at];
            at += 1;
            if (line !== undefined && holds(line)) return finish(line);
          }
          if (over) finish(undefined);
        };
        const finish = (line: LogLine | undefined): void => {
          watchers.delete(look);
          resolve(line);
        };
        watchers.add(look);
        look();
      }),
  };
}

function parseLine(text: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    return { unreadable: text };
  }
}

/** Did a renewal go into this state here? */
export function movedTo(state: string): (line: LogLine) => boolean {
  return (line) => line["to"] === state && line["from"] !== undefined;
}

/** The state that a renewal was in when the last line was written. */
export function lastState(lines: readonly LogLine[]): string {
  const last = lines.findLast((line) => line["to"] !== undefined && line["from"] !== undefined);
  return last === undefined ? "idle" : String(last["to"]);
}

function isAtRest(lines: readonly LogLine[]): boolean {
  const isEnd = (line: LogLine): boolean => line["end"] !== undefined && line["intent"] === undefined;
  const last = lines.findLast((line) => isEnd(line) || line["from"] !== undefined);
  return last !== undefined && isEnd(last);
}

/** When the line was written, by the program's wall clock, in milliseconds. */
export function timeOf(line: LogLine): number {
  return Date.parse(String(line["time"]));
}
