/** A value that a variable can't have. The message goes on from the variable's name, and never holds a secret. */
export class RefusedValue extends Error {
  override readonly name = "RefusedValue";
}

const shortAndPrintable = /^[\x20-\x7e]{1,40}$/;

/**
 * A value as a message may show it. Long ones, and ones with odd characters, are not shown:
 * what was pasted into the wrong variable may be a token.
 */
export function quote(text: string): string {
  return shortAndPrintable.test(text) ? `"${text}"` : "the value";
}
