/**
 * Sets of ASCII characters, looked up by character code: a judgement runs on every
 * request, and one table read for each character is the cheapest that there is.
 */

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";

function setOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (let at = 0; at < characters.length; at += 1) set[characters.charCodeAt(at)] = 1;
  return set;
}

/** RFC 3986 section 2.3: what means the same with and without percent-encoding, to every server. */
export const unreserved = setOf(`${letters}${digits}-._~`);

/** RFC 3986 section 2.1. */
export const hexDigits = setOf(`${digits}ABCDEFabcdef`);

/** RFC 9110 section 5.6.2, `tchar`: what names of fields and connection options are made of. */
export const tokenCharacters = setOf(`!#$%&'*+-.^_\`|~${letters}${digits}`);

/** Is every character of `text` from `from` up to (not including) `to` in the set? True of nothing at all. */
export function isMadeOf(set: Uint8Array, text: string, from = 0, to = text.length): boolean {
  for (let at = from; at < to; at += 1) {
    if (set[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
}
