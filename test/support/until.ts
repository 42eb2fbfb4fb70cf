import { setTimeout as pause } from "node:timers/promises";

/** How long to look for, and what to say if it never holds. */
export interface UntilOptions {
  /** Milliseconds. */
  readonly withinMs: number;
  /** What was waited for, to finish the sentence "this did not come: …". */
  readonly what: string | (() => string);
  /** Milliseconds between two looks; 10 unless given. */
  readonly everyMs?: number;
}

/** Looks again and again until there is a value, and gives it. For what happens in other processes, where nothing calls back. */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  { withinMs, what, everyMs = 10 }: UntilOptions,
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() >= endsAt)
      throw new Error(`this did not come within ${withinMs} ms: ${typeof what === "string" ? what : what()}`);
    await pause(everyMs);
  }
}
