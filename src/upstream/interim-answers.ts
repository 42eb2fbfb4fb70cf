import { CodedError } from "../errors.ts";

/**
 * - `INTERIM_SWITCH`: `101 Switching Protocols`, which was not asked for and would end HTTP.
 * - `INTERIM_MALFORMED`: a head whose lines do not end as lines do.
 * - `INTERIM_ENDLESS`: more of them than any server has a use for.
 */
export type InterimErrorCode = "INTERIM_SWITCH" | "INTERIM_MALFORMED" | "INTERIM_ENDLESS";

/** What came before an answer can't be passed over. */
export class InterimError extends CodedError<InterimErrorCode> {
  override readonly name = "InterimError";
}

/** Length of `HTTP/1.1 1xx` and the byte behind it, by which an interim answer is known… */
const statusLineLength = 13;
/** …and all that may yet become it. */
const prefix = /^(?:H(?:T(?:T(?:P(?:\/(?:1(?:\.(?:[01](?: (?:1(?:\d(?:\d[ \r]?)?)?)?)?)?)?)?)?)?)?)?)?$/;

const cr = 0x0d;
const lf = 0x0a;
const upperH = 0x48;
const one = 0x31;

/** Bytes of all interim heads before one answer: as many as undici takes for the head of the answer itself. */
const mostBytes = 32 * 1024;

/**
 * Takes interim answers (100, 102, 103: RFC 9110 section 15.2) off the bytes that come before
 * the final answer: undici ends the connection at a `100 Continue` that it did not ask for.
 * One for each connection. A final answer that begins with the first byte that comes, as nearly
 * all do, is told by two of its bytes; only interim heads are read byte by byte.
 */
export class InterimAnswers {
  /** What may be the beginning of an interim head, or of the final answer. */
  #held = "";
  /** Within a head: how much of the `CR LF CR LF` that ends it was seen last. Undefined at its beginning. */
  #ending: number | undefined;
  #bytes = 0;

  /** An answer is due from the next byte on. */
  begin(): void {
    this.#held = "";
    this.#ending = undefined;
    this.#bytes = 0;
  }

  /**
   * What a chunk has of the final answer; undefined as long as it has not begun.
   * @throws InterimError
   */
  skip(chunk: Buffer): Buffer | undefined {
    const isBeginning = this.#held === "" && this.#ending === undefined;
    if (isBeginning && chunk[0] === upperH && chunk.length > 9 && chunk[9] !== one) return chunk;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === undefined) break;
      if (this.#ending !== undefined) this.#readField(byte, this.#ending);
      // Empty lines before a status line are passed over by undici, too.
      else if (this.#held !== "" || (byte !== cr && byte !== lf)) {
        if (!this.#readStatusLine(byte)) return this.#final(chunk.subarray(at));
      }
      this.#bytes += 1;
      if (this.#bytes > mostBytes) {
        throw new InterimError("INTERIM_ENDLESS", `more than ${mostBytes} bytes of interim answers came`);
      }
    }
    return undefined;
  }

  /** False if it is not that of an interim answer. */
  #readStatusLine(byte: number): boolean {
    const held = this.#held + String.fromCharCode(byte);
    if (!prefix.test(held)) return false;
    this.#held = held;
    if (held.length < statusLineLength) return true;
    if (held.slice(9, 12) === "101") {
      throw new InterimError("INTERIM_SWITCH", "101 Switching Protocols came, which was not asked for");
    }
    this.#held = "";
    this.#ending = byte === cr ? 1 : 0;
    return true;
  }

  #readField(byte: number, seen: number): void {
    // Each CR with its LF, and no LF alone.
    if ((seen % 2 === 1) !== (byte === lf)) {
      throw new InterimError("INTERIM_MALFORMED", "a line of an interim answer does not end with CR LF");
    }
    if (byte !== cr && byte !== lf) this.#ending = 0;
    else this.#ending = seen === 3 ? undefined : seen + 1;
  }

  #final(rest: Buffer): Buffer {
    return this.#held === "" ? rest : Buffer.concat([Buffer.from(this.#held, "latin1"), rest]);
  }
}
