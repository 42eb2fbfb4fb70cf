import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import { Failure } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { StoredRecord, TokenRecord, TokenStore } from "../store/contract.ts";

/** A token that a person puts into the store. */
export interface Import {
  readonly token: Secret;
  readonly name: string | null;
  /** Null where it is not known. */
  readonly expiresAt: Date | null;
}

/**
 * Stores a token as the next generation. The store compares and sets under its own lock: a
 * record that changed since it was read here is never overwritten.
 * @returns what stands in the store now
 * @throws Failure `try-again` if a renewal is under way, or somebody else wrote; `refused` if the store is read-only
 * @throws StoreError as the store does
 */
export async function storeImport(store: TokenStore, wanted: Import, clock: Clock): Promise<TokenRecord> {
  const current = await store.read();
  refuseWhileRenewed(current);
  const record = nextRecord(current?.record, wanted, new Date(clock.now()));
  if (await write(store, record, current?.version)) return record;
  throw new Failure(
    "try-again",
    "Somebody else changed the record at the same moment. Nothing was stored. See what stands there now (presto-sidecar token show), and try again if it is still wanted.",
  );
}

/** True if the record stands in the store. A write that throws may have been applied: only a fresh read can tell. */
async function write(store: TokenStore, record: TokenRecord, expected: string | undefined): Promise<boolean> {
  if (store.write === undefined)
    throw new Failure("refused", "This store can't be written. Nothing was stored.");
  try {
    return (await store.write(record, expected)).outcome === "written";
  } catch (error) {
    const found = await store.read().catch(() => undefined);
    if (found?.record.writtenBy?.holder === record.writtenBy?.holder) return true;
    throw error;
  }
}

/** @throws Failure `try-again` where the record shows a renewal whose end is not known */
export function refuseWhileRenewed(current: StoredRecord | undefined): void {
  const intent = current?.record.intent ?? null;
  if (intent === null) return;
  throw new Failure(
    "try-again",
    `A renewal is under way since ${intent.at.toISOString()}, and its end is not known yet. Nothing was stored. Try again when it has ended; where no sidecar runs that could end it: presto-sidecar token renew`,
  );
}

function nextRecord(current: TokenRecord | undefined, wanted: Import, now: Date): TokenRecord {
  return {
    schema: 1,
    generation: (current?.generation ?? 0) + 1,
    token: wanted.token,
    name: wanted.name,
    issuedAt: now,
    expiresAt: wanted.expiresAt,
    intent: null,
    // An import clears neither: they are about the account, not about this token.
    unexplainedDeaths: current?.unexplainedDeaths ?? [],
    stopped: current?.stopped ?? null,
    writtenBy: { holder: randomUUID(), lock: "token import" },
  };
}
