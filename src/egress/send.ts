import type { Dispatcher } from "undici";
import undiciSymbols from "undici/lib/core/symbols.js";

import type { Clock } from "../clock.ts";
import type { Token } from "../token/token.ts";
import type { Answer } from "./answer.ts";
import type { Call } from "./call.ts";
import { createExchange, stopped } from "./exchange.ts";

/**
 * Sends the call once with this token. Rejects with a `Problem` whose outcome says whether
 * a byte of it can have reached Presto, or with `CallerGone`.
 */
export type Send = (call: Call, token: Token) => Promise<Answer>;

export interface SendOptions {
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  readonly clock: Clock;
}

const { kQueuedAbort } = undiciSymbols;

/** The innermost step of the request path: one exchange on one connection of the pool. */
export function createSend(options: SendOptions): Send {
  const { dispatcher, clock } = options;
  return (call, token) => {
    call.written = false;
    if (call.interruption !== undefined) return Promise.reject(stopped(call.interruption));
    const { handler, answer } = createExchange(call, clock);
    call.generation = token.generation;
    const request = {
      method: call.method,
      path: call.target,
      headers: [...call.headers, "authorization", token.authorization],
      body: call.body ?? null,
      // A call that is stopped before it has a connection would otherwise stay in undici's queue, with its
      // body, and make a connection for nobody ahead of calls that are still wanted.
      [kQueuedAbort]: (leave: (reason: Error) => void) => handler.queued(leave),
    };
    dispatcher.dispatch(request, handler);
    return answer;
  };
}
