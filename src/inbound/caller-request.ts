import { atEndOfTurn } from "../clock.ts";
import { ByteList, smallBytes } from "../lib/buffers.ts";
import { IncomingMessage as NodeRequest } from "../lib/node-http.ts";
import type { InboundCall } from "./request.ts";
import type { SmallPieces } from "./turns.ts";

/**
 * A request as Node makes it, with room for the call that it became. A WeakMap beside it would
 * do the same, but each entry outlived its request by two collections, and garbage collection
 * took a tenth of all time.
 */
export class CallerRequest extends NodeRequest {
  call: InboundCall | undefined;
  smallPieces: SmallPieces | undefined;
  #pieces = 0;
  #gathered: ByteList | undefined;

  /** What the parser does with each piece of the body, also of one that is thrown away. */
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    this.#pieces += 1;
    if (this.#pieces > fewPieces && chunk instanceof Buffer && chunk.length < smallBytes) {
      this.#gather(chunk);
      return true;
    }
    this.#passOn();
    return super.push(chunk, encoding);
  }

  /** What a stream does with a piece costs more than all else: what came in one turn goes on as one. */
  #gather(chunk: Buffer): void {
    this.smallPieces?.came(this.socket);
    if (this.#gathered === undefined) {
      this.#gathered = new ByteList();
      atEndOfTurn(() => this.#passOn());
    }
    this.#gathered.add(chunk);
  }

  #passOn(): void {
    const gathered = this.#gathered?.takeWhole();
    this.#gathered = undefined;
    if (gathered !== undefined && !this.destroyed) super.push(gathered);
  }
}

/** So many go on at once, as they come: a caller that sends a body in a few pieces is not kept waiting. */
const fewPieces = 8;
