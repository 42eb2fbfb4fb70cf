import { createHash, createHmac, randomBytes } from "node:crypto";

import type { Clock } from "../clock.ts";
import { createFileWatches } from "../files/watch.ts";
import { isTokenText, Secret } from "../secret.ts";
import { type CredentialStore, type StoredRecord, StoreError, type TokenStore } from "./contract.ts";
import { faultOfEmail, faultOfPassword } from "./credentials.ts";
import { emptyRecord } from "./record.ts";
import { describeFile, readSecret, type SecretSource } from "./secret-source.ts";

export interface EnvStoreOptions {
  readonly token: SecretSource;
  readonly clock: Clock;
}

/**
 * A token that somebody else looks after: given by value, or in a file such as a mounted
 * Kubernetes Secret. Read-only. It is the bare token and no record of ours, so this is a store
 * by itself and no `Backend`. Nothing is known of its life, so `expiresAt` is null.
 *
 * `generation` is this process's own count: 0 for the first token that it reads, one more
 * each time that a read finds another. The version is a hash of the token, so the same
 * token written anew is the same version: nothing else is stored that could differ.
 */
export function createEnvStore(options: EnvStoreOptions): TokenStore {
  const { token: source, clock } = options;
  let generation = 0;
  let lastVersion: string | undefined;

  async function read(): Promise<StoredRecord> {
    const token = await readSecret(source, "token");
    if (!isTokenText(token.reveal())) {
      throw new StoreError(
        "bad-token",
        `The token ${source.kind === "file" ? `in ${describeFile(source)}` : "given by value"} holds something other than visible ASCII characters: a space, a second line, a byte order mark, a letter with an accent. Give the token alone, as Presto issued it.`,
      );
    }
    const version = createHash("sha256").update(token.reveal(), "latin1").digest("base64url");
    if (lastVersion !== undefined && version !== lastVersion) generation += 1;
    lastVersion = version;
    return { version, record: { ...emptyRecord, generation, token } };
  }

  const kind = "env";
  if (source.kind === "value") return { kind, canChange: false, read, close() {} };
  const { watch, close } = createFileWatches([source.path], clock);
  return { kind, canChange: true, read, watch, close };
}

export interface EnvCredentialOptions {
  readonly email: SecretSource;
  readonly password: SecretSource;
  readonly clock: Clock;
}

/**
 * A plain hash of a password tells whether a guess is right. One under a key that no other
 * process has tells nobody anything, wherever a version may come to be printed.
 */
const versionKey = randomBytes(32);

/**
 * Credentials that somebody else looks after: by value, or in files such as a mounted
 * Kubernetes Secret, read afresh each time. They are only read, so a password is never pending.
 */
export function createEnvCredentials({ email, password, clock }: EnvCredentialOptions): CredentialStore {
  const paths = [email, password].flatMap((source) => (source.kind === "file" ? [source.path] : []));
  const { watch, close } = createFileWatches(paths, clock);

  return {
    kind: "env",
    async read() {
      const credentials = {
        email: await readText(email, "e-mail", faultOfEmail),
        password: await readText(password, "password", faultOfPassword),
        pending: null,
      };
      const version = createHmac("sha256", versionKey)
        .update(JSON.stringify([credentials.email.reveal(), credentials.password.reveal()]))
        .digest("base64url");
      return { credentials, version };
    },
    watch,
    close,
  };
}

/** Throws `StoreError`: `bad-credentials`, and those of `readSecret`. */
async function readText(
  source: SecretSource,
  what: string,
  faultOf: (text: string) => string | undefined,
): Promise<Secret> {
  const read = await readSecret(source, what);
  const where =
    source.kind === "file" ? `The ${what} in ${describeFile(source)}` : `The ${what} given by value`;
  const text = source.kind === "file" ? decodeUtf8(read, where) : read.reveal();
  const fault = faultOf(text);
  if (fault !== undefined) {
    throw new StoreError("bad-credentials", `${where} ${fault}. Give the account's ${what} alone.`);
  }
  return new Secret(text);
}

/** `readSecret` keeps a file's bytes one to one, and a password may hold any letter there is. */
function decodeUtf8(bytes: Secret, where: string): string {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return decoder.decode(Buffer.from(bytes.reveal(), "latin1"));
  } catch {
    throw new StoreError("bad-credentials", `${where} is not valid UTF-8. Save the file in that encoding.`);
  }
}
