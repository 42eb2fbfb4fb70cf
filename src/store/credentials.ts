import { CommandError } from "../errors.ts";
import { aText, exactObject, orNull, RecordFormatError, schemaOne } from "../lib/json.ts";
import { Secret } from "../secret.ts";
import type { Codec } from "./codec.ts";
import { type Credentials, StoreError } from "./contract.ts";

/** RFC 5321 section 4.5.3.1.3: a path has 256 characters at most, its brackets included. */
const longestEmail = 254;
/** Far more than any form takes; whoever names a wrong file has it told, and not sent. */
const longestPassword = 4096;

/**
 * Why this can't be an account's e-mail address; undefined where it can. Presto alone knows
 * which addresses there are: only what is surely a mistake is refused. The answer goes on
 * from a name (`holds a space …`) and shows nothing of the text.
 */
export function faultOfEmail(text: string): string | undefined {
  if (text === "") return "is empty";
  if (isBroken(text)) return brokenText;
  if (text.startsWith("\ufeff")) return "begins with a byte order mark, which an editor put there";
  if (/[\p{Cc}\p{Z}]/u.test(text)) return "holds a space, a line end or a control character";
  if (text.length > longestEmail)
    return `is longer than the ${longestEmail} characters that an address can have`;
  if (!/^[^@]+@[^@]+$/.test(text))
    return "is not an e-mail address: one @, with something before it and behind it";
  return undefined;
}

/** The same of a password, which may be any Unicode text. */
export function faultOfPassword(text: string): string | undefined {
  if (text === "") return "is empty";
  if (isBroken(text)) return brokenText;
  if (text.startsWith("\ufeff")) return "begins with a byte order mark, which an editor put there";
  // UTF-16 reads as UTF-8 with a NUL behind each letter.
  if (text.includes("\0")) return "holds a NUL character";
  if (text.length > longestPassword) return `is longer than ${longestPassword} characters`;
  return undefined;
}

const brokenText = "is not valid Unicode text (UTF-8)";

/** U+FFFD is what decoders put in the place of bytes that are not UTF-8, `process.env` among them. */
function isBroken(text: string): boolean {
  return !text.isWellFormed() || text.includes("\ufffd");
}

/** How the account's credentials are written. */
export const credentialCodec: Codec<Credentials> = {
  holds: "credentials",
  schema: 1,
  refusal: "bad-credentials",
  encode(credentials) {
    const json = encodeCredentials(credentials);
    try {
      decodeCredentials(JSON.parse(json));
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      throw new StoreError(
        "bad-credentials",
        `These credentials can't be right, and were not stored: ${error.message}.`,
      );
    }
    return json;
  },
  decode: decodeCredentials,
};

/** Credentials as JSON text. It holds the password: the text goes nowhere but to where they are kept. */
export function encodeCredentials({ email, password, pending }: Credentials): string {
  return JSON.stringify({
    schema: 1,
    email: email.reveal(),
    password: password.reveal(),
    pending: pending && pending.reveal(),
  });
}

/**
 * The credentials that `encodeCredentials` made. Strict, as the token's record is: what is not
 * known here would be lost at the next write. Throws `RecordFormatError`, which shows nothing of them.
 */
export function decodeCredentials(json: unknown): Credentials {
  return exactObject(json, "the record", "", (field) => {
    field("schema", schemaOne);
    return {
      email: field("email", anEmail),
      password: field("password", aPassword),
      pending: field("pending", orNull(aPassword)),
    };
  });
}

function anEmail(value: unknown, name: string): Secret {
  return aSecret(value, name, faultOfEmail);
}

function aPassword(value: unknown, name: string): Secret {
  return aSecret(value, name, faultOfPassword);
}

function aSecret(value: unknown, name: string, faultOf: (text: string) => string | undefined): Secret {
  const text = aText(value, name);
  const fault = faultOf(text);
  if (fault !== undefined) throw new RecordFormatError(`${name} ${fault}`);
  return new Secret(text);
}

/** For whoever needs the account and finds none. */
export function noCredentials(): CommandError {
  return new CommandError(
    "configuration",
    "There are no credentials in PRESTO_CREDENTIALS. Put them there with: presto-sidecar credentials import",
  );
}
