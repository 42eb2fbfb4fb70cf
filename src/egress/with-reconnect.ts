import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import { pause } from "../lib/async.ts";
import type { Token } from "../token/token.ts";
import type { Answer } from "./answer.ts";
import type { Call } from "./call.ts";
import type { Send } from "./send.ts";

/** Milliseconds before the second and third try. */
const pauses = [50, 250] as const;

/**
 * Tries again where no connection was had, so not a byte was written: the one failure that
 * proves by itself that Presto did nothing. Nothing else is ever sent again here.
 */
export function withReconnect(send: Send, clock: Clock): Send {
  async function again(call: Call, token: Token, problem: unknown, tries: number): Promise<Answer> {
    const wait = pauses[tries];
    if (wait === undefined || !mayTryAgain(call, problem)) throw problem;
    if ((await pause(call, clock, wait)) !== "elapsed") throw problem;
    return send(call, token).catch((next: unknown) => again(call, token, next, tries + 1));
  }
  return (call, token) => send(call, token).catch((problem: unknown) => again(call, token, problem, 0));
}

/** Where an egress proxy refuses the login, the next try would be refused as well, and may lock it out. */
function mayTryAgain(call: Call, problem: unknown): boolean {
  if (!(problem instanceof Problem) || call.written) return false;
  return problem.code === "upstream-unreachable" && problem.proxyStatus !== "proxy_configuration_error";
}
