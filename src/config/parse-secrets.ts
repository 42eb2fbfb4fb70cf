import { isTokenText, Secret } from "../secret.ts";
import { StoreError } from "../store/contract.ts";
import { faultOfEmail, faultOfPassword } from "../store/credentials.ts";
import { parseStoreKeys } from "../store/seal.ts";
import { InvalidValue, parseList } from "./parse.ts";

// None of these shows the value: each is a secret, or stands where one is easily pasted by mistake.

/** Where the token lives, as PRESTO_STORE names it. */
export type StoreAddress = { readonly kind: "env" } | { readonly kind: "file"; readonly path: string };

/** Kinds of stores that later versions have: named, so that nobody looks for a spelling mistake. */
export const laterStores: readonly string[] = ["kubernetes", "vault", "aws", "gcp", "azure"];

/** @throws RefusedValue */
export function parseStoreAddress(text: string): StoreAddress {
  const [kind = ""] = text.split(":", 1);
  const rest = text.slice(kind.length + 1);
  if (laterStores.includes(kind)) {
    throw new InvalidValue(
      `is a ${kind}: store, which this version does not have yet; it has env: and file:/path`,
    );
  }
  if (text === "env:") return { kind: "env" };
  if (kind === "env")
    throw new InvalidValue(
      "is written env: with nothing behind it; the token itself stands in PRESTO_TOKEN or PRESTO_TOKEN_FILE",
    );
  if (kind !== "file" || !text.includes(":")) throw new InvalidValue("is neither env: nor file:/path");
  if (rest.startsWith("//")) throw new InvalidValue("has too many slashes; write file:/path, with one");
  return { kind: "file", path: parsePath(rest) };
}

/**
 * The path of a file.
 * @throws RefusedValue where it is not absolute: a sidecar's working folder is nobody's choice
 */
export function parsePath(text: string): string {
  if (!text.startsWith("/")) throw new InvalidValue("is not an absolute path; it must begin with /");
  if (/\p{Cc}/u.test(text)) throw new InvalidValue("holds a control character");
  if (text.endsWith("/")) throw new InvalidValue("is a folder; name a file in it");
  return text;
}

/** Files and shell substitutions end in a line end that nobody meant. */
export function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}

/** @throws RefusedValue where it can't stand in a header field */
export function parseToken(text: string): Secret {
  const token = withoutLineEnd(text);
  if (token === "") throw new InvalidValue("is empty");
  if (!isTokenText(token)) {
    throw new InvalidValue(
      "holds a space, a line end or another character that a token can't have (visible ASCII only)",
    );
  }
  return new Secret(token);
}

/**
 * Keys that seal the stored record: each base64 of 32 bytes. Read by the function that the store reads them by.
 * @throws RefusedValue that names a bad key by its place
 */
export function parseKeys(text: string): Secret {
  const keys = new Secret(withoutLineEnd(text));
  try {
    parseStoreKeys(keys);
  } catch (error) {
    if (error instanceof StoreError) throw new InvalidValue(error.message);
    throw error;
  }
  return keys;
}

const pinPrefix = "sha256/";
const digestBytes = 32;

/**
 * Pins of the leaf's public key, `sha256/BASE64` as RFC 7469 and curl write them.
 * @returns the base64 alone
 */
export function parsePins(text: string): string[] {
  return parseList(text, parsePin, (pin) => pin);
}

function parsePin(entry: string): string {
  const pin = entry.slice(pinPrefix.length);
  if (!entry.startsWith(pinPrefix) || !isDigest(pin)) {
    throw new InvalidValue(`is not ${pinPrefix} and the base64 of ${digestBytes} bytes`);
  }
  return pin;
}

/** Exactly as an encoder writes it: Buffer.from alone would skip over what is not base64. */
function isDigest(text: string): boolean {
  const decoded = Buffer.from(text, "base64");
  return decoded.length === digestBytes && decoded.toString("base64") === text;
}

// None of these shows the value: each is a secret, or stands where one is easily pasted by mistake.

/** @throws RefusedValue */
export function parseEmail(text: string): Secret {
  return parseAccountText(text, faultOfEmail);
}

/** @throws RefusedValue */
export function parsePassword(text: string): Secret {
  return parseAccountText(text, faultOfPassword);
}

function parseAccountText(text: string, faultOf: (text: string) => string | undefined): Secret {
  const bare = withoutLineEnd(text);
  const fault = faultOf(bare);
  if (fault !== undefined) throw new InvalidValue(fault);
  return new Secret(bare);
}

/** Where the account's credentials lie, as PRESTO_CREDENTIALS names it. */
export interface CredentialAddress {
  readonly kind: "file";
  readonly path: string;
}

/** @throws RefusedValue */
export function parseCredentialAddress(text: string): CredentialAddress {
  const [kind = ""] = text.split(":", 1);
  if (kind === "env") {
    throw new InvalidValue(
      "can't be env:; credentials in the environment stand in PRESTO_EMAIL and PRESTO_PASSWORD (or their _FILE forms), without this",
    );
  }
  if (laterStores.includes(kind)) {
    throw new InvalidValue(
      `is a ${kind}: store, which this version does not have yet; it has file:/path for credentials`,
    );
  }
  const address = text.startsWith("file:") ? parseStoreAddress(text) : undefined;
  if (address?.kind !== "file") throw new InvalidValue("is not file:/path");
  return address;
}
