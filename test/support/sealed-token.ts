import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import { emptyRecord } from "../../src/store/record.ts";
import { createFileStore } from "./file-stores.ts";
import { memoryFolder } from "./memory-folder.ts";

/** A sealed record in a folder of its own, written by compare-and-set as another process would write it. */
export interface SealedToken {
  /** Variables that have a sidecar read it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stores another token, and ends the renewal that was under way. */
  token(token: string): Promise<void>;
  /** Begins a renewal: the record shows an intent. */
  renewing(): Promise<void>;
  /** Ends the renewal without a new token. */
  notRenewing(): Promise<void>;
  remove(): void;
}

/** @param first the token that it begins with; null: a record that has none yet */
export async function createSealedToken(first: string | null): Promise<SealedToken> {
  const folder = mkdtempSync(join(memoryFolder(), "presto-sealed-"));
  const path = join(folder, "token");
  const key = randomBytes(32).toString("base64");
  const keys = { kind: "value", secret: new Secret(key) } as const;
  const store = createFileStore({ path, keys, clock: systemClock });

  async function change(differences: Partial<TokenRecord>): Promise<void> {
    const stored = await store.read();
    const record = { ...(stored?.record ?? { ...emptyRecord, name: "tests" }), ...differences };
    const { outcome } = await store.write(record, stored?.version);
    if (outcome !== "written") throw new Error("somebody else wrote the record");
  }

  let generation = 1;
  await change({ token: first === null ? null : new Secret(first), generation });
  return {
    env: { PRESTO_TOKEN: undefined, PRESTO_STORE: `file:${path}`, PRESTO_STORE_KEY: key },
    token(token) {
      generation += 1;
      return change({ token: new Secret(token), generation, intent: null });
    },
    renewing: () =>
      change({
        intent: {
          id: randomUUID(),
          holder: randomUUID(),
          soleCall: true,
          reason: "scheduled",
          at: new Date(),
        },
      }),
    notRenewing: () => change({ intent: null }),
    remove() {
      store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
