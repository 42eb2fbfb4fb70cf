import type { Secret } from "../../src/secret.ts";
import type { Presto } from "./presto.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";

/** Which token each process knows to work, since it had it issued, or asked: that is what it puts back, should another stand in its place. */
export interface Memories {
  note(process: SimProcess, token: Secret): void;
  /** Does it know of the token that lives? */
  knowsLive(process: SimProcess): boolean;
}

/** By then what a probe has shown is known to its process, milliseconds. */
const surelyMs = 8_000;

export function createMemories(timeline: Pick<Timeline, "now">, presto: Pick<Presto, "live">): Memories {
  const known = new Map<SimProcess, { readonly text: string; readonly since: number }>();
  return {
    note(process, token) {
      const text = token.reveal();
      if (known.get(process)?.text === text) return;
      known.set(process, { text, since: timeline.now() });
      process.onDeath(() => known.delete(process));
    },
    knowsLive(process) {
      const memory = known.get(process);
      if (memory === undefined || memory.text !== presto.live()?.secret.reveal()) return false;
      return timeline.now() - memory.since > surelyMs;
    },
  };
}
