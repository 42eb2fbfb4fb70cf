import { ignore } from "../../src/lib/events.ts";
import { createTokenHealth } from "../../src/token/health.ts";
import { createTokenSource, type TokenSource } from "../../src/token/source.ts";
import type { Token } from "../../src/token/token.ts";
import type { TokenOrNone } from "../../src/token/waiting.ts";
import { createHandClock, type HandClock } from "./hand-clock.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";

export const holdMaxMs = 5_000;

/** A token source over a store in memory and a clock moved by hand. */
export interface TokenBench {
  readonly clock: HandClock;
  readonly store: MemoryStore;
  readonly tokens: TokenSource;
}

export async function openTokens(first: string | null = "token-1", canChange = true): Promise<TokenBench> {
  const clock = createHandClock();
  const store = createMemoryStore({ canChange });
  if (first !== null) store.put({ token: first });
  const tokens = createTokenSource({
    random: () => 1,
    store,
    clock,
    emit: ignore,
    holdMaxMs,
    pollMs: 5_000,
    health: createTokenHealth(clock),
    onRecord: ignore,
    onRejected: ignore,
  });
  await tokens.start();
  return { clock, store, tokens };
}

/** Follows a promise without waiting for it. */
export function followToken(promise: Promise<TokenOrNone>): { now(): string } {
  let state = "waits";
  void promise.then((end) => {
    state = end.kind === "token" ? end.token.secret.reveal() : end.kind === "cancelled" ? end.why : "none";
  });
  return { now: () => state };
}

export function inHand(tokens: TokenSource): Token {
  const token = tokens.ready();
  if (token === undefined) throw new Error("no token is ready");
  return token;
}

export async function change(bench: TokenBench, record: Parameters<MemoryStore["put"]>[0]): Promise<void> {
  bench.store.put(record);
  bench.store.notify();
  await bench.clock.advance(0);
}
