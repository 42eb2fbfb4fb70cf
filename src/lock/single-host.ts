import type { DatabaseSync } from "node:sqlite";

import type { Clock } from "../clock.ts";
import { Failure } from "../errors.ts";
import { clearHolder, describeHolder, writeHolder } from "./holder-file.ts";
import { prepareLockFile } from "./lock-file.ts";
import type { HeldLock, RenewalLock } from "./renewal-lock.ts";

export interface SingleHostLockOptions {
  /** The lock's own file, made if it is not there; its folder must be on a local disk. Never remove it while anybody may hold the lock. */
  readonly path: string;
  /** What is locked, as messages name it: `the record /path`. */
  readonly what: string;
  readonly clock: Clock;
}

/** Milliseconds between two tries: short beside a write, which takes a few. */
const retryMs = 20;
/** Whoever has waited for so long waits for a process that lives long: it need not ask as often. */
const patientAfterMs = 5_000;
const patientRetryMs = 250;
/** SQLite's primary result code for "somebody else holds the lock" (https://sqlite.org/rescode.html#busy). */
const busy = 5;

/**
 * Connections that hold a lock. The garbage collector would close one that nobody
 * refers to, and the lock would be gone while its holder believes in it.
 */
const held = new Set<DatabaseSync>();

/**
 * A lock between the processes of one host, as the kernel keeps it: it is free the
 * moment its holder dies, however it dies. Node has no `flock`, but SQLite takes a POSIX
 * record lock for `BEGIN EXCLUSIVE`, and knows the connections of its own process too.
 * Nothing is stored in the database. Not for network file systems, whose locks often lie.
 */
export function createSingleHostLock(options: SingleHostLockOptions): RenewalLock {
  const { path, what, clock } = options;
  const holderPath = `${path}-holder`;

  return {
    async acquire({ waitMs, signal }) {
      const { DatabaseSync } = await import("node:sqlite");
      signal?.throwIfAborted();
      const begun = clock.monotonic();
      prepareLockFile(path);
      const database = openDatabase(() => new DatabaseSync(path, { timeout: 0 }), path);
      try {
        while (!tryLock(database, path)) {
          const waited = clock.monotonic() - begun;
          if (waited >= waitMs) {
            throw new Failure(
              "try-again",
              `${await describeHolder(holderPath)} holds the lock of ${what}. Nothing was changed. Try again when it is done.`,
            );
          }
          const pauseMs = waited < patientAfterMs ? retryMs : patientRetryMs;
          await clock.sleep(Math.min(pauseMs, waitMs - waited), signal);
        }
      } catch (error) {
        database.close();
        throw error;
      }
      held.add(database);
      writeHolder(holderPath, new Date(clock.now()));
      return heldLock(database, path, holderPath);
    },
  };
}

/** The kernel takes it away from nobody who lives: it has no term, and a paused holder still has it. */
function heldLock(database: DatabaseSync, path: string, holderPath: string): HeldLock {
  return {
    identity: `file lock ${path}`,
    heldUntil: () => (held.has(database) ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
    renew: async () => held.has(database),
    async release() {
      if (!held.delete(database)) return;
      clearHolder(holderPath);
      database.close();
    },
  };
}

/** False where another holds it. */
function tryLock(database: DatabaseSync, path: string): boolean {
  try {
    // No journal on disk: nothing is ever written, and a killed holder would leave it behind.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (primaryCode(error) === busy) return false;
    throw lockRefused(path, error);
  }
}

function openDatabase(open: () => DatabaseSync, path: string): DatabaseSync {
  try {
    return open();
  } catch (error) {
    throw lockRefused(path, error);
  }
}

function lockRefused(path: string, error: unknown): Failure {
  const code = primaryCode(error);
  return new Failure(
    "system-refused",
    `The lock file ${path} could not be locked (SQLite's code ${code ?? "unknown"}). See that its folder is on a local disk and can be written; if the file is not empty, this program did not make it: move it away.`,
    error,
  );
}

/** SQLite puts details into the higher bits of its code. */
function primaryCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
