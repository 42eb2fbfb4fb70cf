import { createHash } from "node:crypto";
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";

import type { Clock } from "../../clock.ts";
import { CommandError, systemCode } from "../../errors.ts";
import { type BoundedRead, readBounded, removeLeftovers, writeDurably } from "../../files/io.ts";
import { StalledError } from "../../files/stalls.ts";
import { createFileWatches } from "../../files/watch.ts";
import { type Holding, maxObjectBytes, StoreError, type WriteFault, type WriteResult } from "../contract.ts";
import type { FullBackend } from "../over-backend.ts";
import { formatMode } from "../secret-source.ts";
import { createSingleHostLock, renewalLockPath, writeLockPath } from "./lock.ts";

export interface FileBackendOptions {
  /** The object's file; its folder must be on a local disk. Beside it stand its locks (`filesOf`). */
  readonly path: string;
  readonly holds: Holding;
  readonly clock: Clock;
}

const nouns: Readonly<Record<Holding, string>> = { token: "record", credentials: "credential file" };

/** Milliseconds that a write waits for another process's. */
const lockWaitMs = 5_000;

/**
 * A file of this host, mode 0600. Its version is a hash of its bytes, which differ for each
 * sealing. `rename` replaces the file whole but compares nothing, so a write compares under a
 * lock between processes; readers need none.
 * @throws CommandError `configuration` on a system without owners and modes, on which its safety rests
 */
export function createFileBackend({ path, holds, clock }: FileBackendOptions): FullBackend {
  const where = `The ${nouns[holds]} ${path}`;
  if (process.geteuid === undefined) {
    throw new CommandError(
      "configuration",
      "A file: store needs a POSIX system. Use another store, or run in a container.",
    );
  }
  const writeLock = createSingleHostLock({ path: writeLockPath(path), what: `the file ${path}`, clock });
  const watches = createFileWatches([path], clock);

  async function replace(bytes: Uint8Array, expected: string | undefined): Promise<WriteResult> {
    const current = await readOwnFile(path, where);
    if ((current && versionOf(current)) !== expected) return { outcome: "refused" };
    try {
      await removeLeftovers(path);
      await writeDurably(path, bytes);
    } catch (error) {
      throw refusedWrite(path, where, error);
    }
    return { outcome: "written", version: versionOf(bytes) };
  }

  return {
    kind: "file",
    where,
    async read() {
      const bytes = await readOwnFile(path, where);
      return bytes && { bytes, version: versionOf(bytes) };
    },
    async write(bytes, expected) {
      const held = await writeLock.acquire({ waitMs: lockWaitMs });
      try {
        return await replace(bytes, expected);
      } finally {
        await held.release();
      }
    },
    lock: () => createSingleHostLock({ path: renewalLockPath(path), what: `the record ${path}`, clock }),
    watch: watches.watch,
    close: watches.close,
  };
}

function versionOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}

/**
 * What stands in the object's file, or undefined where there is none. Only a file that is this
 * user's alone is taken: what others may write, or have read, is not to be trusted.
 */
async function readOwnFile(path: string, where: string): Promise<Buffer | undefined> {
  const read = await readRegular(path, where);
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
        `${where} is larger than ${maxObjectBytes} bytes, so it is not one. It was left as it is. Name another file.`,
      );
    case "content":
      refuseForeign(path, where, read.owner, read.mode);
      return read.bytes;
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

async function readRegular(path: string, where: string): Promise<BoundedRead> {
  try {
    return await readBounded(path, { maxBytes: maxObjectBytes, followLink: false });
  } catch (error) {
    throw refusedRead(path, where, error);
  }
}

/** What is wrong with it stands in its way until somebody mends it: a matter of configuration, as what stands in the file is. */
function refusedRead(path: string, where: string, error: unknown): StoreError {
  if (error instanceof StalledError) return stalled(where, "read", error);
  return new StoreError("unreadable", refusalOf(path, where, "read", error), error);
}

/** A disk that is full or read-only is the system's refusal, as it is where the lock's file can't be made. */
function refusedWrite(path: string, where: string, error: unknown): StoreError | CommandError {
  if (error instanceof StalledError) return stalled(where, "written", error);
  return new CommandError("system-refused", refusalOf(path, where, "written", error), error);
}

function stalled(where: string, verb: "read" | "written", error: StalledError): StoreError {
  return new StoreError(
    "unreachable",
    `${where} could not be ${verb}: its file system does not answer. It is tried again.`,
    error,
  );
}

/** Which path, why, and what to look at. */
function refusalOf(path: string, where: string, verb: "read" | "written", error: unknown): string {
  const reason = systemCode(error) ?? "an unknown error";
  return `${where} could not be ${verb} (${reason}). See that the user of this process may use the folder ${dirname(path)}, and that its disk is there, and neither full nor read-only.`;
}

/** Why this user could not make a file in the folder of this path. */
export async function findFolderFault(path: string): Promise<WriteFault | undefined> {
  const folder = dirname(path);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return {
      detail: `The folder ${folder} can't be written by this user (${systemCode(error) ?? "unknown cause"})`,
      mend: "Make the folder, or let this user write it.",
    };
  }
}
