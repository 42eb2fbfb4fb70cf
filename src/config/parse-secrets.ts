import { delimiter } from "node:path";

import { faultOfPath } from "../files/io.ts";
import { isTokenText, Secret, withoutLineEnd } from "../secret.ts";
import { StoreError } from "../store/contract.ts";
import { faultOfEmail, faultOfPassword } from "../store/credentials.ts";
import { isName, isNamespace } from "../store/kubernetes/names.ts";
import { type LockAddress, parseLockAddress } from "../store/lock-address.ts";
import { AddressError, parseCredentialPlace, parsePlace, type Place } from "../store/open.ts";
import { parseStoreKeys } from "../store/seal.ts";
import { InvalidValue, parseList } from "./parse.ts";

// None of these shows the value: each is a secret, or stands where one is easily pasted by mistake.

/** Where the token lives. @throws InvalidValue */
export function parseStoreAddress(text: string): Place {
  return valid(() => parsePlace(text));
}

/** Where the account's credentials lie. @throws InvalidValue */
export function parseCredentialAddress(text: string): Place {
  return valid(() => parseCredentialPlace(text));
}

/** Which lock renewals are done under. @throws InvalidValue */
export function parseLock(text: string): LockAddress {
  const lock = parseLockAddress(text);
  if (typeof lock === "string") throw new InvalidValue(lock);
  return lock;
}

/** A Pod's name, as Kubernetes has it. @throws InvalidValue */
export function parsePodName(text: string): string {
  if (isName(text)) return text;
  throw new InvalidValue("is no name that Kubernetes could have given: lower case, digits, dashes and dots");
}

/** A namespace's name, as Kubernetes has it. @throws InvalidValue */
export function parseNamespace(text: string): string {
  if (isNamespace(text)) return text;
  throw new InvalidValue("is no name that Kubernetes could have given: lower case, digits and dashes");
}

function valid<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof AddressError) throw new InvalidValue(error.message);
    throw error;
  }
}

/**
 * The path of a file.
 * @throws InvalidValue
 */
export function parsePath(text: string): string {
  const fault = faultOfPath(text);
  if (fault !== undefined) throw new InvalidValue(fault);
  return text;
}

/**
 * The files that a kubeconfig is made of, as kubectl takes them. Many a shell names some for its own ends.
 * @throws InvalidValue for what names none
 */
export function parseKubeconfig(text: string): readonly string[] {
  if (/\p{Cc}/u.test(text)) throw new InvalidValue("holds a control character; it names files, and is none");
  return text.split(delimiter).filter((path) => path !== "");
}

/** @throws InvalidValue where it can't stand in a header field */
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
 * @throws InvalidValue that names a bad key by its place
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

/** A name or address of Vault's own. What it has to be is judged where it is used (vault.ts). @throws InvalidValue */
export function parseVaultText(text: string): string {
  if (!/^[\x21-\x7e]{1,1024}$/.test(text))
    throw new InvalidValue("holds something other than visible ASCII characters, or too many of them");
  return text;
}

/** @throws InvalidValue */
export function parseVaultMethod(text: string): "token" | "approle" | "kubernetes" {
  if (text === "token" || text === "approle" || text === "kubernetes") return text;
  throw new InvalidValue("is none of token, approle and kubernetes");
}

/** Where a login is mounted, without the `auth/` before it. @throws InvalidValue */
export function parseVaultMount(text: string): string {
  if (!/^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/.test(text))
    throw new InvalidValue(
      "is not the path of an auth mount, as in: bao auth list, without auth/ and the last slash",
    );
  return text.replace(/^auth\//, "");
}

/** As Vault's own client reads it (Go's ParseBool): only a no will do. @throws InvalidValue */
export function parseSkipVerify(text: string): boolean {
  if (/^(?:0|f|F|false|False|FALSE)$/.test(text)) return false;
  throw new InvalidValue(
    "would have certificates go unverified, and the tokens with them to whoever answers; take it away, and name the CA in VAULT_CACERT",
  );
}

/** @throws InvalidValue */
export function parseEmail(text: string): Secret {
  return parseAccountText(text, faultOfEmail);
}

/** @throws InvalidValue */
export function parsePassword(text: string): Secret {
  return parseAccountText(text, faultOfPassword);
}

function parseAccountText(text: string, faultOf: (text: string) => string | undefined): Secret {
  const bare = withoutLineEnd(text);
  const fault = faultOf(bare);
  if (fault !== undefined) throw new InvalidValue(fault);
  return new Secret(bare);
}
