import type { ServerResponse } from "node:http";

import type { RequestEffect } from "./fault.ts";
import { htmlReply, messageReply, type Reply } from "./reply.ts";

/** The answer that a fault puts in the place of Presto's own; undefined if it doesn't. */
export function replacement(effect: RequestEffect | undefined): Reply | undefined {
  switch (effect?.kind) {
    case "status": {
      const { status, message = `Answered ${status} by a fault of the sandbox.`, retryAfter } = effect;
      return messageReply(
        status,
        message,
        retryAfter === undefined ? {} : { "retry-after": String(retryAfter) },
      );
    }
    case "html": {
      const { status = 502 } = effect;
      return htmlReply(status, `${status} from the gateway`);
    }
    case "answer":
      return { status: effect.status, headers: effect.headers ?? {}, body: effect.body ?? "" };
    default:
      return undefined;
  }
}

/** What writing an answer needs from outside. */
export interface AnswerMeans {
  /** Waits; false if the sandbox is closing and nothing should be done any more. */
  wait(ms: number): Promise<boolean>;
  /** Resets the TCP connection. */
  reset(): void;
}

/** Writes an answer, or what the fault makes of it. */
export async function writeAnswer(
  response: ServerResponse,
  reply: Reply,
  effect: RequestEffect | undefined,
  means: AnswerMeans,
): Promise<void> {
  switch (effect?.kind) {
    case "reset-before-reading":
    case "reset-before-acting":
    case "reset-after-acting":
      means.reset();
      return;
    case "garbage":
      response.socket?.end("This is not HTTP.\r\n\r\n");
      return;
    case "half-answer":
      writeHead(response, reply);
      response.write(firstHalf(reply), () => response.socket?.destroy());
      return;
    case "slow-head":
      if (await means.wait(effect.ms)) writeWhole(response, reply);
      return;
    case "slow-body": {
      writeHead(response, reply);
      const half = firstHalf(reply);
      response.write(half);
      if (await means.wait(effect.ms)) response.end(Buffer.from(reply.body).subarray(half.length));
      return;
    }
    default:
      writeWhole(response, reply);
  }
}

function writeWhole(response: ServerResponse, reply: Reply): void {
  writeHead(response, reply);
  response.end(reply.body);
}

function writeHead(response: ServerResponse, reply: Reply): void {
  for (const [name, value] of Object.entries(reply.headers)) response.setHeader(name, value);
  if (
    !response.hasHeader("transfer-encoding") &&
    !response.hasHeader("content-length") &&
    reply.status !== 204
  ) {
    response.setHeader("content-length", Buffer.byteLength(reply.body));
  }
  response.writeHead(reply.status);
}

function firstHalf(reply: Reply): Buffer {
  const body = Buffer.from(reply.body);
  return body.subarray(0, Math.floor(body.length / 2));
}
