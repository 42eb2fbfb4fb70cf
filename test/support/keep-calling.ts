import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import { walletPaths } from "./wallet-call.ts";

/** One call of a caller, by `performance.now()`. */
export interface TimedCall {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Status of the answer; 0 where the connection broke. */
  readonly status: number;
}

export interface KeptCalling {
  /** All calls that have ended. */
  readonly calls: readonly TimedCall[];
  /** Resolves once each caller has ended the call that it is in. */
  stop(): Promise<void>;
}

export interface CallingOptions {
  readonly port: number;
  readonly callers: number;
  /** Milliseconds that a caller thinks between two calls. Without it they only measure how fast a queue moves. */
  readonly thinkMs: number;
}

const body = Buffer.from(
  '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":10.500,"currency":"LYD"}',
);

/** Callers that call again and again, each on a connection of its own that it keeps. */
export function keepCalling({ port, callers, thinkMs }: CallingOptions): KeptCalling {
  const calls: TimedCall[] = [];
  let stopping = false;

  async function caller(number: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    // Not all in one breath.
    await pause((thinkMs * number) / callers);
    while (!stopping) {
      const startedAt = performance.now();
      const status = await callOnce(agent, port);
      calls.push({ startedAt, endedAt: performance.now(), status });
      await pause(thinkMs);
    }
    agent.destroy();
  }

  const all = Array.from({ length: callers }, (_, number) => caller(number));
  return {
    calls,
    async stop() {
      stopping = true;
      await Promise.all(all);
    },
  };
}

function callOnce(agent: Agent, port: number): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({
      agent,
      host: "127.0.0.1",
      port,
      method: "POST",
      path: walletPaths.init,
      headers: { "content-type": "application/json", "content-length": body.length },
    });
    asked.once("error", () => resolve(0));
    asked.once("response", (response) => {
      response.once("error", () => resolve(0));
      response.once("end", () => resolve(response.statusCode ?? 0));
      response.resume();
    });
    asked.end(body);
  });
}
