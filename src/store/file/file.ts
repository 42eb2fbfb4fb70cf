import { createHash } from "node:crypto";
import { dirname } from "node:path";

import type { Clock } from "../../clock.ts";
import { CommandError, systemCode } from "../../errors.ts";
import { type BoundedRead, readBounded, removeLeftovers, writeDurably } from "../../files/io.ts";
import { createWatchedFile } from "../../files/watch.ts";
import { type CredentialStore, StoreError, type TokenStore, type WriteResult } from "../contract.ts";
import {
  maxRecordBytes,
  openRecord,
  openSealedCredentials,
  parseStoreKeys,
  sealCredentials,
  sealRecord,
  type StoreKeys,
  type Unsealed,
} from "../seal.ts";
import { formatMode, readSecret, type SecretSource } from "../secret-source.ts";
import { createSingleHostLock } from "./lock.ts";

// What stands beside a record's file, and is made by this program.

/** The lock that a renewal holds from its reading to its end, and a command for what it does. */
export function renewalLockPath(path: string): string {
  return `${path}.lock`;
}

/** The lock of one write: what makes it a compare-and-set. */
export function writeLockPath(path: string): string {
  return `${path}.write-lock`;
}

/** Every file that may come to stand there for the record of this path, itself first. Who holds a lock is written beside it. */
export function filesOf(path: string): readonly string[] {
  const locks = [renewalLockPath(path), writeLockPath(path)];
  return [path, ...locks, ...locks.map((lock) => `${lock}-holder`)];
}

export interface SealedFileOptions<T> {
  /** The file. Beside it stand `PATH.write-lock` and, while that is held, `PATH.write-lock-holder`. */
  readonly path: string;
  /** Names it at the start of a message: `The record /path`. */
  readonly where: string;
  readonly keys: SecretSource;
  /** The line that is kept, `maxRecordBytes` at most. Throws what could not be read back. */
  readonly seal: (value: T, keys: StoreKeys) => string;
  /** Throws a `StoreError` for a line that `seal` did not make. */
  readonly open: (sealed: string, keys: StoreKeys) => Unsealed<T>;
  readonly clock: Clock;
}

export interface StoredValue<T> extends Unsealed<T> {
  /** A hash of the sealed line, which differs for each sealing. */
  readonly version: string;
}

/** One value in a sealed file, with the promises of `TokenStore` for it. */
export interface SealedFile<T> {
  read(): Promise<StoredValue<T> | undefined>;
  write(value: T, expected: string | undefined): Promise<WriteResult>;
  /** Calls back after a change of the file or of the keys' file. Returns what ends the watch. */
  watch(onChange: () => void): () => void;
  close(): void;
}

/** Milliseconds that a write waits for another process's. */
const lockWaitMs = 5_000;

/**
 * A sealed file of this host, mode 0600. Keys are read afresh each time, so that a rotation
 * needs no restart. `rename` replaces the file whole but compares nothing, so a write
 * compares under a lock between processes; readers need none.
 * @throws CommandError `configuration` on a system without owners and modes, on which its safety rests
 */
export function createSealedFile<T>(options: SealedFileOptions<T>): SealedFile<T> {
  const { path, where, keys: source, clock } = options;
  if (process.geteuid === undefined) {
    throw new CommandError(
      "configuration",
      "A file: store needs a POSIX system. Use another store, or run in a container.",
    );
  }
  const lock = createSingleHostLock({ path: writeLockPath(path), what: `the file ${path}`, clock });
  const endings = new Set<() => void>();

  async function readKeys(): Promise<StoreKeys> {
    return parseStoreKeys(await readSecret(source, "store key"));
  }

  async function readWith(keys: StoreKeys): Promise<StoredValue<T> | undefined> {
    const sealed = await readRecordFile(path, where);
    if (sealed === undefined) return undefined;
    return { ...options.open(sealed, keys), version: versionOf(sealed) };
  }

  async function replace(value: T, expected: string | undefined): Promise<WriteResult> {
    const keys = await readKeys();
    // Opened, not just compared: what this process can't read it does not overwrite.
    const current = await readWith(keys);
    if (current?.version !== expected) return { outcome: "refused" };
    const sealed = options.seal(value, keys);
    try {
      await removeLeftovers(path);
      await writeDurably(path, sealed);
    } catch (error) {
      throw refusedBySystem(path, where, "written", error);
    }
    return { outcome: "written", version: versionOf(sealed) };
  }

  return {
    read: async () => readWith(await readKeys()),
    async write(value, expected) {
      const held = await lock.acquire({ waitMs: lockWaitMs });
      try {
        return await replace(value, expected);
      } finally {
        await held.release();
      }
    },
    watch(onChange) {
      const paths = source.kind === "file" ? [path, source.path] : [path];
      const watches = paths.map((watched) => createWatchedFile({ path: watched, clock, onChange }));
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

function versionOf(sealed: string): string {
  return createHash("sha256").update(sealed, "latin1").digest("base64url");
}

/**
 * The sealed line that stands in a record's file, or undefined where there is none. Only a
 * file that is this user's alone is taken: what others may write, or have read, is not to be
 * trusted. `where` names it at the start of a message. Throws `StoreError` `unreadable` or `damaged`.
 */
export async function readRecordFile(path: string, where: string): Promise<string | undefined> {
  const read = await readOwn(path, where);
  switch (read.kind) {
    case "absent":
      return undefined;
    case "link":
      throw new StoreError(
        "unreadable",
        `${where} is a symbolic link, which a write would replace. Name the file itself.`,
      );
    case "not-a-file":
      throw new StoreError(
        "unreadable",
        `${where} is not a regular file. Name a file, or a path where none is yet.`,
      );
    case "too-large":
      throw new StoreError(
        "damaged",
        `${where} is larger than ${maxRecordBytes} bytes, so it is not one. It was left as it is. Name another file.`,
      );
    case "content":
      refuseForeign(path, where, read.owner, read.mode);
      return read.bytes.toString("latin1");
  }
}

function refuseForeign(path: string, where: string, owner: number, mode: number): void {
  const user = process.geteuid?.();
  if (owner !== user) {
    throw new StoreError(
      "unreadable",
      `${where} belongs to the user ${owner}, and this process runs as ${user}. Run it as that user, or, if the file is to be trusted: chown ${user} ${path}`,
    );
  }
  if ((mode & ~0o600) !== 0) {
    throw new StoreError(
      "unreadable",
      `${where} has the mode ${formatMode(mode)}, which is wider than 0600. Find out who has read it, then run: chmod 0600 ${path}`,
    );
  }
}

async function readOwn(path: string, where: string): Promise<BoundedRead> {
  try {
    return await readBounded(path, { maxBytes: maxRecordBytes, followLink: false });
  } catch (error) {
    throw refusedBySystem(path, where, "read", error);
  }
}

/** The system would not let the record be read or written: which path, why, and what to look at. */
export function refusedBySystem(
  path: string,
  where: string,
  verb: "read" | "written",
  error: unknown,
): StoreError {
  const reason = systemCode(error) ?? "an unknown error";
  return new StoreError(
    "unreadable",
    `${where} could not be ${verb} (${reason}). See that the user of this process may use the folder ${dirname(path)}, and that its disk is there, and neither full nor read-only.`,
    error,
  );
}

export interface FileStoreOptions {
  /** The record's file; its folder must be on a local disk. */
  readonly path: string;
  readonly keys: SecretSource;
  readonly clock: Clock;
}

/** The token's record in a sealed file of this host. */
export function createFileStore(options: FileStoreOptions): Required<TokenStore> {
  const where = `The record ${options.path}`;
  const file = createSealedFile({
    ...options,
    where,
    seal: sealRecord,
    open: (sealed, keys) => openRecord(sealed, keys, where),
  });
  return {
    kind: "file",
    canChange: true,
    async read() {
      const stored = await file.read();
      if (stored === undefined) return undefined;
      const { value: record, version, sealedWithFirstKey } = stored;
      return { record, version, sealedWithFirstKey };
    },
    write: file.write,
    watch: file.watch,
    close: file.close,
  };
}

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
