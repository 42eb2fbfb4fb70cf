import { createHash } from "node:crypto";

import type { Clock } from "../clock.ts";
import { createWatchedFile } from "../files/watched-file.ts";
import type { WatchedFile } from "../files/watched-file.ts";
import { isTokenText } from "../token/token.ts";
import { readSecret } from "./secret-source.ts";
import type { SecretSource } from "./secret-source.ts";
import { StoreError } from "./token-store.ts";
import type { StoredRecord, TokenStore } from "./token-store.ts";

export interface EnvStoreOptions {
  readonly token: SecretSource;
  readonly clock: Clock;
}

/**
 * A token that somebody else looks after: given by value, or in a file such as a mounted
 * Kubernetes Secret. Read-only. Nothing is known of its life, so `expiresAt` is null.
 *
 * `generation` is this process's own count: 0 for the first token that it reads, one more
 * each time that a read finds another. The version is a hash of the token, so the same
 * token written anew is the same version: nothing else is stored that could differ.
 */
export function createEnvStore(options: EnvStoreOptions): TokenStore {
  const { token: source, clock } = options;
  const watches = new Set<WatchedFile>();
  let generation = 0;
  let lastVersion: string | undefined;

  async function read(): Promise<StoredRecord> {
    const token = await readSecret(source, "token");
    if (!isTokenText(token.reveal())) {
      throw new StoreError(
        "bad-token",
        `The token ${source.kind === "file" ? `in ${source.path}` : "given by value"} holds something other than visible ASCII characters: a space, a second line, a byte order mark, a letter with an accent. Give the token alone, as Presto issued it.`,
      );
    }
    const version = createHash("sha256").update(token.reveal(), "latin1").digest("base64url");
    if (lastVersion !== undefined && version !== lastVersion) generation += 1;
    lastVersion = version;
    return {
      version,
      record: {
        schema: 1,
        generation,
        token,
        name: null,
        issuedAt: null,
        expiresAt: null,
        intent: null,
        unexplainedDeaths: [],
        stopped: null,
        writtenBy: null,
      },
    };
  }

  function close(): void {
    for (const watch of watches) watch.close();
    watches.clear();
  }

  if (source.kind === "value") return { kind: "env", canChange: false, read, close };
  const { path } = source;
  return {
    kind: "env",
    canChange: true,
    read,
    watch(onChange) {
      const watch = createWatchedFile({ path, clock, onChange });
      watches.add(watch);
      return () => {
        watch.close();
        watches.delete(watch);
      };
    },
    close,
  };
}
