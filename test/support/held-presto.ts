import { httpAnswer, startRawPresto } from "./raw-presto.ts";
import type { RawPresto, RawPrestoOptions, WireRequest } from "./raw-presto.ts";
import { eventually } from "./sidecar-load.ts";

/** A Presto that answers nothing until a test says so. */
export interface HeldPresto extends RawPresto {
  /** Requests that wait for an answer, in the order of their coming. */
  readonly waiting: WireRequest[];
  /** Waits until so many requests wait. */
  holds(count: number): Promise<void>;
  /** Answers all that wait; each answer's body tells the request's target. */
  release(status?: number): void;
}

export async function startHeldPresto(options: RawPrestoOptions = {}): Promise<HeldPresto> {
  const presto = await startRawPresto(options);
  const waiting: WireRequest[] = [];
  presto.answer((request) => void waiting.push(request));
  return {
    ...presto,
    waiting,
    holds: (count) => eventually(() => waiting.length).toBe(count),
    release(status = 200) {
      for (const request of waiting.splice(0)) request.socket.write(echo(request, status));
    },
  };
}

/** An answer that tells which request it is of, and names the transaction of a confirm, as a success has to. */
export function echo(request: WireRequest, status = 200): string {
  const body = request.body.toString();
  const [, reference] = /"transaction_reference":"([^"]*)"/.exec(body) ?? [];
  const named = reference === undefined ? {} : { transaction_reference: reference };
  return httpAnswer(status, JSON.stringify({ of: request.requestLine.split(" ")[1], body, ...named }));
}
