import type { TokenRecord } from "./token-record.ts";

/** A record as it was read, with the store's own version of it. */
export interface StoredRecord {
  readonly record: TokenRecord;
  /** Opaque; differs whenever the stored bytes were written anew. Compared for equality only. */
  readonly version: string;
  /**
   * Only from stores that seal: false where another than the first key opened the record, so
   * that whoever may write should write it anew.
   */
  readonly sealedWithFirstKey?: boolean;
}

/**
 * `written`: the record now stands under `version`. `refused`: somebody else wrote since
 * `expected` was read; nothing was changed. A write that throws is *unclear*: it may have
 * been applied, and the caller must read again and compare, never assume.
 */
export type WriteResult =
  | { readonly outcome: "written"; readonly version: string }
  | { readonly outcome: "refused" };

/**
 * Where the token lives. What a store cannot do it does not offer: a read-only store has
 * no `write`, one that cannot tell of changes has no `watch`. Nothing is faked.
 *
 * Contract, tested by one suite on every adapter (`test/contract/token-store.ts`):
 * - `read` always goes to the store itself, never to a cache of this process. It answers
 *   undefined where nothing was stored yet, and throws a `StoreError` where the record is
 *   there but can't be read, opened or understood. It never guesses.
 * - `write` is a compare-and-set on the version last read (`undefined`: create only if absent).
 *   It is durable once it has answered `written`. Where another process writes for too long it
 *   throws a `Failure` `try-again`, and where its lock can't be made, `system-refused`: in
 *   both cases nothing was written.
 * - Nothing is ever overwritten that this process could not read.
 * - No error holds the token, or bytes of the record.
 */
export interface TokenStore {
  readonly kind: "env" | "file";
  /** False if no later read can give another record (a token given by value). */
  readonly canChange: boolean;
  read(): Promise<StoredRecord | undefined>;
  write?(record: TokenRecord, expected: string | undefined): Promise<WriteResult>;
  /** Calls back soon after a change; may call back without one. Returns what ends the watch. */
  watch?(onChange: () => void): () => void;
  close(): void;
}

/**
 * Literal code of a store's failure.
 * - `unreadable`: the system refused (permission, mode, owner, I/O): says which path, and the mend.
 * - `wrong-key`: none of the keys opens the record.
 * - `damaged`: not a record at all, cut short, or tampered with.
 * - `newer-schema`: written by a later version of this program.
 * - `not-yet`: what the record is read from (a `…_FILE`) is absent or empty for now.
 * - `bad-token`: bytes that can't stand in a header field.
 * - `bad-credentials`: text that can't be an e-mail address, or a password.
 */
export type StoreErrorCode =
  | "unreadable"
  | "wrong-key"
  | "damaged"
  | "newer-schema"
  | "not-yet"
  | "bad-token"
  | "bad-credentials";

/** A store that could not be read or written. The message is for people, says what to do, and holds no secret. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
