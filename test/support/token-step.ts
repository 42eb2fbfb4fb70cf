import { Problem } from "../../src/errors.ts";
import { ignore } from "../../src/lib/events.ts";
import { createTokenHealth } from "../../src/token/health.ts";
import { createTokenSource } from "../../src/token/source.ts";
import { type Call, performed, type Response } from "../../src/upstream/call.ts";
import type { Send } from "../../src/upstream/dispatch.ts";
import { type Limiter, createLimiter } from "../../src/upstream/limiter.ts";
import { withToken } from "../../src/upstream/with-token.ts";
import { createHandClock, type HandClock } from "./hand-clock.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";
import { plainCall } from "./plain-call.ts";

/** The step that attaches the token, around a Presto that a test plays by hand. */
export interface TokenStep {
  readonly clock: HandClock;
  readonly store: MemoryStore;
  readonly limiter: Limiter;
  readonly perform: (call: Call) => Promise<Response>;
  /** Tokens in the order in which they were sent. */
  readonly sent: string[];
  call(timeoutMs?: number): Call;
}

export const json = ["content-type", "application/json"];
export const answer = (status: number): Response => ({ status, headers: json, body: Buffer.from("{}") });

/** @param presto what it says to a send with that token */
export async function openTokenStep(
  presto: (token: string, call: Call) => Response | Problem | Promise<Response>,
  limits: { maxInFlight?: number; maxQueue?: number } = {},
): Promise<TokenStep> {
  const clock = createHandClock();
  const store = createMemoryStore();
  store.put({ token: "token-1" });
  const tokens = createTokenSource({
    random: () => 1,
    store,
    clock,
    emit: ignore,
    holdMaxMs: 5_000,
    pollMs: 5_000,
    health: createTokenHealth(clock),
    onRecord: ignore,
    onRejected: ignore,
  });
  await tokens.start();
  const sent: string[] = [];
  const send: Send = (call, token, end) => {
    call.requestWritten = false;
    const said = presto(token.secret.reveal(), call);
    if (said instanceof Problem) {
      if (said.outcome === "unknown") call.requestWritten = true;
      end.failed(said);
      return;
    }
    call.requestWritten = true;
    call.attempts += 1;
    call.generation = token.generation;
    sent.push(token.secret.reveal());
    if (said instanceof Promise)
      said.then(
        (response) => end.answered(response),
        (error: unknown) => end.failed(error),
      );
    else end.answered(said);
  };
  const limiter = createLimiter({ maxInFlight: 2, maxQueue: 2, maxBuffered: 1_000, ...limits });
  const perform = withToken(send, { tokens, limiter });
  return {
    clock,
    store,
    limiter,
    perform: (call) => performed(perform, call),
    sent,
    call: (timeoutMs) => plainCall(clock.monotonic(), timeoutMs),
  };
}

/** Follows a promise: what became of it so far. */
export function follow(promise: Promise<Response>): { now(): number | string } {
  let state: number | string = "waits";
  promise.then(
    (done) => (state = done.status),
    (error: unknown) =>
      (state = error instanceof Problem ? error.code : error instanceof Error ? error.name : "?"),
  );
  return { now: () => state };
}

/** Sends that are answered one after the other, when a test says so. */
export function createGates(): { wait(): Promise<Response>; open(): void } {
  const waiting: PromiseWithResolvers<Response>[] = [];
  return {
    wait() {
      const gate = Promise.withResolvers<Response>();
      waiting.push(gate);
      return gate.promise;
    },
    open: () => waiting.shift()?.resolve(answer(200)),
  };
}

export async function put(bench: TokenStep, record: Parameters<MemoryStore["put"]>[0]): Promise<void> {
  bench.store.put(record);
  bench.store.notify();
  await bench.clock.advance(0);
}
