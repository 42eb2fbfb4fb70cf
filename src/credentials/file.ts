import type { Clock } from "../clock.ts";
import { createSealedFile } from "../store/sealed-file.ts";
import type { SecretSource } from "../store/secret-source.ts";
import type { CredentialStore } from "./credential-store.ts";
import { openSealedCredentials, sealCredentials } from "./sealed-credentials.ts";

export interface FileCredentialParts {
  /** The credentials' own file; its folder must be on a local disk. */
  readonly path: string;
  readonly keys: SecretSource;
  readonly clock: Clock;
}

/** The account's e-mail and password in a sealed file of this host. */
export function createFileCredentials(options: FileCredentialParts): Required<CredentialStore> {
  const where = `The credential file ${options.path}`;
  const file = createSealedFile({
    ...options,
    where,
    seal: sealCredentials,
    open: (sealed, keys) => openSealedCredentials(sealed, keys, where),
  });
  return {
    kind: "file",
    async read() {
      const stored = await file.read();
      if (stored === undefined) return undefined;
      const { value: credentials, version, sealedWithFirstKey } = stored;
      return { credentials, version, sealedWithFirstKey };
    },
    write: file.write,
    watch: file.watch,
    close: file.close,
  };
}
