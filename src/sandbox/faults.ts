import type { ServerResponse } from "node:http";

import {
  type ConnectionEffect,
  type ConnectionFault,
  type Fault,
  isConnectionFault,
  type RequestEffect,
  type RequestFault,
} from "./fault.ts";
import { htmlReply, messageReply, type Reply } from "./http.ts";

/** A fault that is set. */
export interface SetFault {
  readonly id: number;
  /** Ends it, and lets go what it holds. Doing it twice does nothing. */
  remove(): void;
}

/** A fault that is set, as it may be shown. */
export interface FaultState {
  readonly id: number;
  readonly fault: Fault;
  /** How many times it has struck. */
  readonly struck: number;
}

/** A fault that strikes now. `removed` resolves when somebody takes it out of the book. */
export interface Strike<Effect> {
  readonly effect: Effect;
  readonly removed: Promise<void>;
}

/** The faults that are set. The one set first strikes first; never two at once. */
export interface FaultBook {
  set(fault: Fault): SetFault;
  /** The fault for a new connection, now used once more; undefined if there is none. */
  takeForConnection(): Strike<ConnectionEffect> | undefined;
  /** The fault for a request, now used once more; undefined if there is none. */
  takeForRequest(method: string, path: string): Strike<RequestEffect> | undefined;
  /** Is any fault set that strikes new connections? */
  awaitsConnection(): boolean;
  list(): readonly FaultState[];
  /** False if there is no fault of that number. */
  remove(id: number): boolean;
  clear(): void;
}

interface Entry<Kind extends Fault> {
  readonly id: number;
  readonly fault: Kind;
  struck: number;
  readonly removed: Promise<void>;
  readonly release: () => void;
}

/** Creates a book without faults. */
export function createFaultBook(): FaultBook {
  let connection: Entry<ConnectionFault>[] = [];
  let request: Entry<RequestFault>[] = [];
  let lastId = 0;

  const enter = <Kind extends Fault>(fault: Kind): Entry<Kind> => {
    lastId += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    return { id: lastId, fault, struck: 0, removed: promise, release: resolve };
  };
  const remove = (id: number): boolean => {
    const entry = [...connection, ...request].find((known) => known.id === id);
    entry?.release();
    connection = connection.filter((known) => known.id !== id);
    request = request.filter((known) => known.id !== id);
    return entry !== undefined;
  };
  const take = <Kind extends Fault>(entry: Entry<Kind> | undefined): Strike<Kind> | undefined => {
    if (entry === undefined) return undefined;
    entry.struck += 1;
    // One that keeps something waiting stays in the book when it is used up: removing it lets go.
    const keeps = entry.fault.kind === "hold" || entry.fault.kind === "stall-at-connect";
    if (!isLeft(entry) && !keeps) remove(entry.id);
    return { effect: entry.fault, removed: entry.removed };
  };

  return {
    set(fault) {
      const entry = isConnectionFault(fault) ? enterConnection(fault) : enterRequest(fault);
      return { id: entry.id, remove: () => void remove(entry.id) };
    },
    takeForConnection: () => take(connection.find(isLeft)),
    takeForRequest: (method, path) =>
      take(request.find((entry) => isLeft(entry) && matches(entry.fault, method, path))),
    awaitsConnection: () => connection.some(isLeft),
    list: () =>
      [...connection, ...request]
        .map(({ id, fault, struck }) => ({ id, fault, struck }))
        .toSorted((one, other) => one.id - other.id),
    remove,
    clear() {
      for (const { id } of [...connection, ...request]) remove(id);
    },
  };

  function enterConnection(fault: ConnectionFault): Entry<ConnectionFault> {
    const entry = enter(fault);
    connection.push(entry);
    return entry;
  }

  function enterRequest(fault: RequestFault): Entry<RequestFault> {
    const entry = enter(fault);
    request.push(entry);
    return entry;
  }
}

function isLeft(entry: Entry<Fault>): boolean {
  return entry.fault.times === undefined || entry.struck < entry.fault.times;
}

function matches(fault: RequestFault, method: string, path: string): boolean {
  if (fault.method !== undefined && fault.method !== method) return false;
  if (fault.path === undefined) return true;
  return fault.path.endsWith("*") ? path.startsWith(fault.path.slice(0, -1)) : path === fault.path;
}

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
