import type { ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";

import {
  type ConnectionEffect,
  type ConnectionFault,
  type Fault,
  isConnectionFault,
  type RequestEffect,
  type RequestFault,
} from "./fault-kinds.ts";
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

/** A fault that strikes now. `removed` resolves when somebody takes it away. */
export interface Strike<Effect> {
  readonly effect: Effect;
  readonly removed: Promise<void>;
}

/** The faults that are set. The one set first strikes first; never two at once. */
export interface Faults {
  set(fault: Fault): SetFault;
  /** The fault for a new connection, now used once more; undefined if there is none. */
  takeForConnection(): Strike<ConnectionEffect> | undefined;
  /** The fault for a request, now used once more; undefined if there is none. */
  takeForRequest(request: StruckRequest): Strike<RequestEffect> | undefined;
  /** Is any fault set that strikes new connections? */
  awaitsConnection(): boolean;
  list(): readonly FaultState[];
  /** False if there is no fault of that number. */
  remove(id: number): boolean;
  clear(): void;
}

/** What a fault goes by. */
export interface StruckRequest {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** Its `X-Request-Id`, if it has one. */
  readonly requestId: string | undefined;
}

interface Entry<Kind extends Fault> extends FaultState {
  readonly fault: Kind;
  struck: number;
  readonly removed: Promise<void>;
  readonly release: () => void;
}

/** Creates a set without faults. */
export function createFaults(): Faults {
  let entries: Entry<Fault>[] = [];
  let lastId = 0;

  const remove = (id: number): boolean => {
    const entry = entries.find((known) => known.id === id);
    entry?.release();
    entries = entries.filter((known) => known !== entry);
    return entry !== undefined;
  };
  const take = <Kind extends Fault>(entry: Entry<Kind> | undefined): Strike<Kind> | undefined => {
    if (entry === undefined) return undefined;
    entry.struck += 1;
    // One that keeps something waiting stays when it is used up: removing it lets go.
    const keeps = entry.fault.kind === "hold" || entry.fault.kind === "stall-at-connect";
    if (!isLeft(entry) && !keeps) remove(entry.id);
    return { effect: entry.fault, removed: entry.removed };
  };
  const forConnection = (entry: Entry<Fault>): entry is Entry<ConnectionFault> =>
    isConnectionFault(entry.fault) && isLeft(entry);

  return {
    set(fault) {
      const { promise: removed, resolve: release } = Promise.withResolvers<void>();
      lastId += 1;
      const id = lastId;
      entries.push({ id, fault, struck: 0, removed, release });
      return { id, remove: () => void remove(id) };
    },
    takeForConnection: () => take(entries.find(forConnection)),
    takeForRequest: (request) =>
      take(
        entries.find(
          (entry): entry is Entry<RequestFault> =>
            !isConnectionFault(entry.fault) && isLeft(entry) && matches(entry.fault, request),
        ),
      ),
    awaitsConnection: () => entries.some(forConnection),
    list: () => entries.map(({ id, fault, struck }) => ({ id, fault, struck })),
    remove,
    clear() {
      for (const { id } of entries) remove(id);
    },
  };
}

function isLeft({ fault, struck }: FaultState): boolean {
  return fault.times === undefined || struck < fault.times;
}

function matches(fault: RequestFault, { method, path, requestId }: StruckRequest): boolean {
  if (fault.method !== undefined && fault.method !== method) return false;
  if (fault.requestId !== undefined && fault.requestId !== requestId) return false;
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
export interface AnswerDeps {
  /** Resets the TCP connection. */
  readonly reset: () => void;
  /** Aborted when the sandbox closes: nothing is waited for any more. */
  readonly closing: AbortSignal;
}

/** Writes an answer, or what the fault makes of it. */
export async function writeAnswer(
  response: ServerResponse,
  reply: Reply,
  effect: RequestEffect | undefined,
  { reset, closing }: AnswerDeps,
): Promise<void> {
  switch (effect?.kind) {
    case "reset-before-reading":
    case "reset-before-acting":
    case "reset-after-acting":
      reset();
      return;
    case "garbage":
      response.socket?.end("This is not HTTP.\r\n\r\n");
      return;
    case "half-answer":
      writeHead(response, reply);
      response.write(firstHalf(reply), () => response.socket?.destroy());
      return;
    case "slow-head":
      if (await elapses(effect.ms, closing)) writeWhole(response, reply);
      return;
    case "slow-body": {
      writeHead(response, reply);
      const half = firstHalf(reply);
      response.write(half);
      if (await elapses(effect.ms, closing)) response.end(Buffer.from(reply.body).subarray(half.length));
      return;
    }
    default:
      writeWhole(response, reply);
  }
}

/** Waits; false if the sandbox closes meanwhile. */
export async function elapses(ms: number, closing: AbortSignal): Promise<boolean> {
  try {
    return await setTimeout(ms, true, { signal: closing });
  } catch {
    return false;
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
