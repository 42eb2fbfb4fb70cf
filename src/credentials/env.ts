import { createHmac, randomBytes } from "node:crypto";

import type { Clock } from "../clock.ts";
import { createWatchedFile } from "../files/watched-file.ts";
import { Secret } from "../secret.ts";
import { readSecret } from "../store/secret-source.ts";
import type { SecretSource } from "../store/secret-source.ts";
import { StoreError } from "../store/token-store.ts";
import { faultOfEmail, faultOfPassword } from "./account-text.ts";
import type { CredentialStore } from "./credential-store.ts";

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
  const endings = new Set<() => void>();
  const paths = [email, password].flatMap((source) => (source.kind === "file" ? [source.path] : []));

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
    watch(onChange) {
      const watches = paths.map((path) => createWatchedFile({ path, clock, onChange }));
      const end = (): void => {
        for (const watch of watches) watch.close();
        endings.delete(end);
      };
      endings.add(end);
      return end;
    },
    close() {
      for (const end of endings) end();
    },
  };
}

/** Throws `StoreError`: `bad-credentials`, and those of `readSecret`. */
async function readText(
  source: SecretSource,
  what: string,
  faultOf: (text: string) => string | undefined,
): Promise<Secret> {
  const read = await readSecret(source, what);
  const where = source.kind === "file" ? `The ${what} in ${source.path}` : `The ${what} given by value`;
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
