import type { Timeline } from "./timeline.ts";

/** What happened, one line each, with its simulated time: for whoever has to understand a failing seed. */
export interface Story {
  /** @param line made only if somebody wants to read it: most seeds are never told */
  tell(line: () => string): void;
  lines(): readonly string[];
}

export function createStory(timeline: Timeline, isTold: boolean): Story {
  const lines: string[] = [];
  return {
    tell(line) {
      if (isTold) lines.push(`${(timeline.now() / 1_000).toFixed(3).padStart(9)} s  ${line()}`);
    },
    lines: () => lines,
  };
}
