import { Failure } from "../errors.ts";
import { brokenPasswordRules, generatePassword } from "../presto/password.ts";
import { Secret } from "../secret.ts";
import type { Credentials } from "../store/contract.ts";
import { faultOfPassword } from "../store/credentials.ts";
import { decodeUtf8 } from "./account-input.ts";
import type { Io } from "./command.ts";
import { printNote } from "./output.ts";
import { createPrompts, readToEnd } from "./prompts.ts";

/** What a reset is to set. */
export interface NewPassword {
  /** Undefined: the pending one of an earlier reset. */
  readonly wanted: Secret | undefined;
  /** True if one was piped in that is not the pending one, so that it is not used. */
  readonly unused: boolean;
}

/**
 * The password that a reset is to set: the pending one, if an earlier reset has left it; else
 * a new one, made, piped in, or asked for twice.
 * @throws Failure `input-refused` for one that can't be set; it names every rule that is broken
 */
export async function newPassword(io: Io, stored: Credentials, generate: boolean): Promise<NewPassword> {
  const piped = !generate && io.stdin.isTTY !== true ? await readPiped(io) : undefined;
  if (stored.pending !== null) {
    printNote(
      io,
      "An earlier password reset has no known end: it is settled now, with its own new password.",
    );
    return {
      wanted: undefined,
      unused: piped !== undefined && piped.fingerprint() !== stored.pending.fingerprint(),
    };
  }
  const wanted = generate ? generatePassword() : (piped ?? (await askTwice(io)));
  refuseBad(wanted, stored.password);
  return { wanted, unused: false };
}

/** Undefined for nothing at all. */
async function readPiped(io: Io): Promise<Secret | undefined> {
  const text = decodeUtf8(await readToEnd(io)).replace(/\r?\n$/, "");
  return text === "" ? undefined : new Secret(text);
}

async function askTwice(io: Io): Promise<Secret> {
  if (io.stdin.isTTY !== true) {
    throw new Failure(
      "input-refused",
      "No new password was given. Type it at the prompt, pipe it in, or have one made with --generate. Nothing was changed.",
    );
  }
  const prompts = createPrompts(io);
  try {
    const first = decodeUtf8(await prompts.hidden("New password"));
    const second = decodeUtf8(await prompts.hidden("Once more"));
    if (first === second) return new Secret(first);
  } finally {
    await prompts.close();
  }
  throw new Failure("input-refused", "The two that were typed are not the same. Nothing was changed.");
}

function refuseBad(wanted: Secret, current: Secret): void {
  const fault = faultOfPassword(wanted.reveal());
  const sentences = [
    ...(fault === undefined ? [] : [`It ${fault}.`]),
    ...brokenPasswordRules(wanted).map(({ sentence }) => sentence),
    ...(wanted.fingerprint() === current.fingerprint() ? ["It is the present one."] : []),
  ];
  if (sentences.length === 0) return;
  throw new Failure(
    "input-refused",
    `This can't be the new password. ${sentences.join(" ")} Nothing was changed.`,
  );
}
