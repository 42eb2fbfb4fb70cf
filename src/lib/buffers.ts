/** Chunks smaller than this are copied together. */
export const smallBytes = 1024;
const blockBytes = 16 * 1024;

/**
 * Bytes that come in chunks and are wanted whole. Small chunks are copied into blocks: kept one
 * by one, a byte that comes alone would cost some 200 bytes of heap that no bound counts.
 */
export class ByteList {
  #parts: Buffer[] = [];
  #block: Buffer | undefined;
  #used = 0;

  add(chunk: Buffer): void {
    // The first is mostly the only one.
    if (chunk.length >= smallBytes || (this.#parts.length === 0 && this.#block === undefined)) {
      this.#flush();
      this.#parts.push(chunk);
      return;
    }
    if (this.#block === undefined || this.#used + chunk.length > blockBytes) {
      this.#flush();
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
    }
    chunk.copy(this.#block, this.#used);
    this.#used += chunk.length;
  }

  /** What has come so far, in order; the list is empty afterwards. */
  take(): Buffer[] {
    this.#flush();
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  /** As `take`, in one piece. */
  takeWhole(): Buffer {
    const parts = this.take();
    const [first] = parts;
    return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts);
  }

  #flush(): void {
    if (this.#block === undefined) return;
    this.#parts.push(this.#block.subarray(0, this.#used));
    this.#block = undefined;
    this.#used = 0;
  }
}
