import { setTimeout as pause } from "node:timers/promises";

import { attempt, type Bench, tell } from "../bench.ts";
import { callRight, launch, type Launched, withWords } from "../launch.ts";
import { openRelay, type Relay } from "../relay.ts";
import type { Target } from "../target.ts";

const roundTripMs = 50;
const kinds = ["query", "confirm"] as const;

/** One target whose server is far away, and which kind of call it gets. */
interface Lonely {
  readonly target: Target;
  readonly kind: (typeof kinds)[number];
  readonly launched: Launched;
  /** When it was last called, or was ready: milliseconds of performance.now(). */
  quietSince: number;
}

/**
 * Lone calls after silences, in round trips to a server that is 50 ms away. All targets wait side by side, since
 * they do nothing, each twice: one gets queries, and one gets confirms.
 */
export async function measureSilence(bench: Bench, targets: readonly Target[]): Promise<void> {
  const relays: Relay[] = [];
  const lonely: Lonely[] = [];
  try {
    for (const target of targets) {
      for (const kind of kinds) {
        await attempt(bench, { name: target.name, part: "silence" }, async () => {
          const relay = await openRelay(bench.stage.upstreamPort, roundTripMs);
          relays.push(relay);
          const instance = await bench.stage.instance(target, relay.port);
          if (instance === undefined) return;
          const launched = await launch(bench.stage, instance, true);
          lonely.push({ target, kind, launched, quietSince: performance.now() });
        });
      }
    }
    // After the start, with what a start makes ready.
    await takeTurns(bench, lonely, 3, "start");
    for (const seconds of bench.options.silences) {
      tell(`a silence of ${seconds} s`);
      await takeTurns(bench, lonely, seconds, String(seconds));
    }
  } finally {
    await Promise.all(lonely.map(({ launched }) => launched.child.stop()));
    for (const relay of relays) relay.close();
  }
}

async function takeTurns(
  bench: Bench,
  lonely: readonly Lonely[],
  seconds: number,
  silence: string,
): Promise<void> {
  for (const one of lonely) {
    const { target, kind, launched } = one;
    await attempt(bench, { name: target.name, part: "silence" }, async () => {
      await pause(Math.max(1, one.quietSince + seconds * 1000 - performance.now()));
      try {
        const elapsed = await callRight(launched.port, kind);
        bench.figures.record(`silence ${silence}-${kind}`, target.name, 0, elapsed / roundTripMs);
      } catch (error) {
        throw withWords(launched.child, error);
      }
      one.quietSince = performance.now();
    });
  }
}
