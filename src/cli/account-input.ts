import { Failure } from "../errors.ts";
import { aText, exactFields, RecordFormatError } from "../lib/json.ts";
import type { Account } from "../presto/auth.ts";
import { Secret } from "../secret.ts";
import { faultOfEmail, faultOfPassword } from "../store/credentials.ts";
import type { Io } from "./command.ts";
import { createPrompts, readToEnd } from "./prompts.ts";

/**
 * The account's e-mail and password: from prompts where standard input is a terminal, or else
 * from standard input as `{"email": "…", "password": "…"}`.
 * @throws Failure `input-refused`, which shows nothing of what was given
 */
export async function readAccount(io: Io): Promise<Account> {
  const { email, password } = io.stdin.isTTY === true ? await askAccount(io) : await readJson(io);
  refuseFault("The e-mail address", faultOfEmail(email));
  refuseFault("The password", faultOfPassword(password));
  return { email: new Secret(email), password: new Secret(password) };
}

interface AccountText {
  readonly email: string;
  readonly password: string;
}

async function askAccount(io: Io): Promise<AccountText> {
  const prompts = createPrompts(io);
  try {
    const email = decodeUtf8(await prompts.shown("E-mail address of the account"));
    return { email, password: decodeUtf8(await prompts.hidden("Password")) };
  } finally {
    await prompts.close();
  }
}

async function readJson(io: Io): Promise<AccountText> {
  const text = decodeUtf8(await readToEnd(io));
  try {
    const field = exactFields(JSON.parse(text), "it", ["email", "password"]);
    return { email: aText(field("email"), "email"), password: aText(field("password"), "password") };
  } catch (error) {
    // The parser's own error quotes the text: it goes no further.
    const what = error instanceof RecordFormatError ? error.message : "it is not JSON";
    throw new Failure(
      "input-refused",
      `Standard input can't be used: ${what}. Give {"email": "…", "password": "…"} and nothing else. Nothing was stored.`,
    );
  }
}

/** @throws Failure `input-refused` for bytes that are not UTF-8 */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Failure("input-refused", "What was given is not UTF-8 text. Nothing was stored.");
  }
}

/** @throws Failure `input-refused` where there is a fault */
export function refuseFault(what: string, fault: string | undefined): void {
  if (fault !== undefined) throw new Failure("input-refused", `${what} ${fault}. Nothing was stored.`);
}
