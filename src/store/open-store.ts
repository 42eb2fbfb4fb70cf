import type { Clock } from "../clock.ts";
import type { SecretSource } from "./secret-source.ts";
import type { TokenStore } from "./token-store.ts";

/** Which store, and what it needs. */
export type StoreOptions =
  | { readonly kind: "env"; readonly token: SecretSource }
  | { readonly kind: "file"; readonly path: string; readonly keys: SecretSource };

/** What every store is given by the program. */
export interface StoreSurroundings {
  readonly clock: Clock;
}

/**
 * Makes the store's adapter; reads and writes nothing yet. Only the adapter that is used
 * is loaded. Throws `Failure` `configuration` where this system can't have that store.
 */
export async function openStore(options: StoreOptions, { clock }: StoreSurroundings): Promise<TokenStore> {
  switch (options.kind) {
    case "env": {
      const { createEnvStore } = await import("./env.ts");
      return createEnvStore({ token: options.token, clock });
    }
    case "file": {
      const { createFileStore } = await import("./file.ts");
      return createFileStore({ path: options.path, keys: options.keys, clock });
    }
  }
}
