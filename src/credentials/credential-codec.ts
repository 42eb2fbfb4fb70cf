import { aText, exactFields, orNull, RecordFormatError } from "../lib/json.ts";
import { Secret } from "../secret.ts";
import { faultOfEmail, faultOfPassword } from "./account-text.ts";
import type { Credentials } from "./credential-store.ts";

/** Credentials as JSON text. It holds the password: the text goes nowhere but into a cipher. */
export function encodeCredentials({ email, password, pending }: Credentials): string {
  return JSON.stringify({
    schema: 1,
    email: email.reveal(),
    password: password.reveal(),
    pending: pending && pending.reveal(),
  });
}

/**
 * The credentials that `encodeCredentials` made the text of. Strict, as the token's record is:
 * what is not known here would be lost at the next write. Throws `RecordFormatError`, which
 * shows nothing of the text.
 */
export function decodeCredentials(json: string): Credentials {
  const field = exactFields(parseJson(json), "the record", ["schema", "email", "password", "pending"]);
  if (field("schema") !== 1) throw new RecordFormatError("schema is not 1");
  return {
    email: sound(field("email"), "email", faultOfEmail),
    password: aPassword(field("password"), "password"),
    pending: orNull(field("pending"), "pending", aPassword),
  };
}

function aPassword(value: unknown, name: string): Secret {
  return sound(value, name, faultOfPassword);
}

function sound(value: unknown, name: string, faultOf: (text: string) => string | undefined): Secret {
  const text = aText(value, name);
  const fault = faultOf(text);
  if (fault !== undefined) throw new RecordFormatError(`${name} ${fault}`);
  return new Secret(text);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The parser's own error quotes the text, which holds the password: it goes no further.
    throw new RecordFormatError("the record is not JSON");
  }
}
