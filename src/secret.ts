import { inspect } from "node:util";

const printed = "[secret]";

/**
 * A value that must never be printed. However it is turned into text (template,
 * JSON, console, error message) it reads `[secret]`; only `reveal()` gives it out,
 * so a search for `reveal(` lists every place where a secret leaves its box.
 */
export class Secret {
  readonly #value: string;
  #fingerprint: string | undefined;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where the bytes are put on a wire or into a cipher. */
  reveal(): string {
    return this.#value;
  }

  /** First 16 hex digits of the SHA-256: tells two secrets apart, gives neither away. */
  fingerprint(): string {
    return (this.#fingerprint ??= digest(this.#value).slice(0, 16));
  }

  toString(): string {
    return printed;
  }

  toJSON(): string {
    return printed;
  }

  [inspect.custom](): string {
    return printed;
  }
}

function digest(value: string): string {
  // Not imported: who only looks at a sidecar asks for no fingerprint, and would pay for twenty modules.
  const { hash } = process.getBuiltinModule("node:crypto");
  return hash("sha256", value, "hex");
}

/** Bytes that may stand in a header field value as a token: visible ASCII, no space. */
const tokenBytes = /^[\x21-\x7e]+$/;

/** Is this a token that can be sent? Presto's alphabet is open; only what a header can't hold is refused. */
export function isTokenText(text: string): boolean {
  return tokenBytes.test(text);
}

/** A secret as it was meant: files and shell substitutions end in a line end that nobody typed. */
export function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}
