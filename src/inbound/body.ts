import type { IncomingMessage } from "node:http";

import { Problem } from "../errors.ts";
import type { Waiting } from "../lib/async.ts";
import { ByteList } from "../lib/buffers.ts";
import { CallerGone } from "../upstream/call.ts";
import { overloaded } from "../upstream/limiter.ts";
import type { InboundCall } from "./request.ts";

/**
 * Reads a request's body whole, byte for byte, into memory that the call accounts for.
 * Calls back once: with a `Problem`, with `CallerGone`, or with nothing and `call.body` set.
 * After a `Problem` the rest of the body is read and thrown away.
 */
export function readBody(
  call: InboundCall,
  request: IncomingMessage,
  maxBytes: number,
  done: (error?: Error) => void,
): void {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    request.resume();
    done(tooLarge(maxBytes));
    return;
  }
  const body = new IncomingBody(call, maxBytes, done);
  call.receiving = body;
  call.waiting = body;
  request.on("data", (chunk: Buffer) => body.add(chunk));
  request.on("end", () => body.complete());
  // Before the end this means that the caller has gone; after it nothing any more.
  request.on("close", () => body.cancelled());
}

/** A body that is still coming. What comes after its end was told is thrown away. */
class IncomingBody implements Waiting {
  readonly #call: InboundCall;
  readonly #maxBytes: number;
  readonly #done: (error?: Error) => void;
  readonly #bytes = new ByteList();
  #length = 0;
  #over = false;

  constructor(call: InboundCall, maxBytes: number, done: (error?: Error) => void) {
    this.#call = call;
    this.#maxBytes = maxBytes;
    this.#done = done;
  }

  add(chunk: Buffer): void {
    if (this.#over) return;
    this.#length += chunk.length;
    if (this.#length > this.#maxBytes) this.fail(tooLarge(this.#maxBytes));
    else if (this.#call.reserveForBody(chunk.length)) this.#bytes.add(chunk);
    else this.fail(overloaded("the memory for bodies and replies is full; nothing was sent"));
  }

  complete(): void {
    if (!this.#end()) return;
    this.#call.body = this.#bytes.takeWhole();
    this.#done();
  }

  fail(error: Error): void {
    if (!this.#end()) return;
    this.#bytes.take();
    this.#done(error);
  }

  cancelled(): void {
    if (!this.#over) this.fail(new CallerGone());
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#call.receiving = undefined;
    this.#call.waiting = undefined;
    return true;
  }
}

function tooLarge(maxBytes: number): Problem {
  return new Problem("body-too-large", {
    detail: `the body is larger than PRESTO_MAX_BODY (${maxBytes} bytes)`,
  });
}
