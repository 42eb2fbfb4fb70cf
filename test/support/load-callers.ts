import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import { systemCode } from "../../src/errors.ts";
import { createCallerLog } from "./caller-log.ts";
import type { CallEnd, CallerLog, CallKind, NotedCall } from "./caller-log.ts";
import { walletPaths } from "./wallet-call.ts";

export interface LoadOptions {
  /** The sidecar's Unix socket. */
  readonly proxy: string;
  /** How many call at a time, each on a connection of its own that it keeps. */
  readonly callers: number;
  /** Milliseconds that each rests between two calls. */
  readonly restMs: number;
  /** Where their calls are noted; a log of their own unless given. */
  readonly log?: CallerLog;
}

export interface LoadCallers {
  readonly log: CallerLog;
  /** Begins no top-up any more; resolves when the last call has ended. */
  stop(): Promise<void>;
}

/** A confirm that was certainly not sent may be made again; so often. */
const mostTries = 4;
/** After a connection that could not be had. */
const awayMs = 25;

const order = JSON.stringify({
  customer: { identifier_type: "phone", identifier: "218910000000" },
  amount: 10.5,
  currency: "LYD",
});

/**
 * Callers that top up wallets all the time, as careful apps do: a confirm is made again only
 * where it was certainly not sent, and never after its outcome was unknown.
 */
export function startCallers({ proxy, callers, restMs, log = createCallerLog() }: LoadOptions): LoadCallers {
  let going = true;

  async function topUp(agent: Agent): Promise<void> {
    const make = async (
      kind: CallKind,
      reference?: string,
    ): Promise<NotedCall & { readonly text: string }> => {
      const call = await makeCall(agent, proxy, kind, reference);
      log.note(call);
      await pause(call.status === 0 ? awayMs : restMs);
      return call;
    };
    const begun = await make("init");
    const reference = begun.end === "served" ? referenceIn(begun.text) : undefined;
    if (reference === undefined) return;
    for (let tries = 1; tries <= mostTries; tries += 1) {
      const confirmed = await make("confirm", reference);
      if (confirmed.end !== "not-sent") break;
    }
    await make("transaction", reference);
  }

  const running = Array.from({ length: callers }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (going) await topUp(agent);
    agent.destroy();
  });
  return {
    log,
    async stop() {
      going = false;
      await Promise.all(running);
    },
  };
}

function makeCall(
  agent: Agent,
  socketPath: string,
  kind: CallKind,
  reference: string | undefined,
): Promise<NotedCall & { readonly text: string }> {
  const begunAt = performance.now();
  const body = kind === "init" ? order : JSON.stringify({ transaction_reference: reference });
  const path = kind === "transaction" ? `${walletPaths.transaction}/${reference ?? ""}` : walletPaths[kind];
  const method = kind === "transaction" ? "GET" : "POST";
  return new Promise((resolve) => {
    const finish = (end: CallEnd, status: number, code: string, text: string): void =>
      resolve({ kind, end, status, code, reference, begunAt, endedAt: performance.now(), text });
    const broken = (error: Error): void => {
      const code = systemCode(error) ?? "";
      // Nobody listens: not a byte was sent. All else may have come after the request was read.
      const refused = code === "ECONNREFUSED" || code === "ENOENT";
      finish(refused ? "not-sent" : "unknown", 0, code, "");
    };
    const headers = {
      Host: "localhost",
      ...(method === "POST" ? { "Content-Type": "application/json", "Content-Length": body.length } : {}),
    };
    const sent = request({ socketPath, agent, path, method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", broken);
      response.on("end", () => {
        const status = response.statusCode ?? 0;
        const end = endOf(status, response.headers["presto-outcome"]);
        finish(end, status, end === "served" ? "" : (field(text, "code") ?? ""), text);
      });
    });
    sent.on("error", broken);
    sent.end(method === "POST" ? body : undefined);
  });
}

function endOf(status: number, outcome: string | readonly string[] | undefined): CallEnd {
  switch (outcome) {
    case "answered":
      return status >= 200 && status < 300 ? "served" : "answered";
    case "not-sent":
    case "unknown":
      return outcome;
    default:
      throw new Error(`an answer without a Presto-Outcome that is known: ${status} ${String(outcome)}`);
  }
}

function referenceIn(text: string): string | undefined {
  return field(text, "transaction_reference");
}

/** The text of a field that stands once in the JSON. */
function field(text: string, name: string): string | undefined {
  return new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1];
}
