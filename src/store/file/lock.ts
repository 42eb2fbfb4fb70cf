import { access, constants, lstat, open, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";

import type { Clock } from "../../clock.ts";
import { CommandError, systemCode } from "../../errors.ts";
import { readBounded } from "../../files/io.ts";
import { ask, StalledError } from "../../files/stalls.ts";
import type { HeldLock, RenewalLock } from "../contract.ts";
import { type LockConnection, LockThreadError, openLockConnection } from "./lock-thread.ts";

// What stands beside an object's file, and is made by this program.

/** The lock that a renewal holds from its reading to its end, and a command for what it does. */
export function renewalLockPath(path: string): string {
  return `${path}.lock`;
}

/** The lock of one write: what makes it a compare-and-set. */
export function writeLockPath(path: string): string {
  return `${path}.write-lock`;
}

/** Every file that may come to stand there for the object of this path, itself first. Who holds a lock is written beside it. */
export function filesOf(path: string): readonly string[] {
  const locks = [renewalLockPath(path), writeLockPath(path)];
  return [path, ...locks, ...locks.map((lock) => `${lock}-holder`)];
}

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
/** Who waits is told anew who holds it: that may be another by now. */
const tellEveryMs = 5_000;

/**
 * A lock between the processes of one host, as the kernel keeps it: it is free the
 * moment its holder dies, however it dies. Node has no `flock`, but SQLite takes a POSIX
 * record lock for `BEGIN EXCLUSIVE`, and knows the connections of its own process too.
 * Nothing is stored in the database. Not for network file systems, whose locks often lie.
 * SQLite is asked in a thread of its own (`lock-thread.ts`), and like all that is asked of a file
 * system it is waited for only for so long.
 */
export function createSingleHostLock(options: SingleHostLockOptions): RenewalLock {
  const { path, what, clock } = options;
  const holderPath = `${path}-holder`;

  return {
    name: `file lock ${path}`,
    async acquire({ waitMs, signal, onHeld }) {
      signal?.throwIfAborted();
      const begun = clock.monotonic();
      let tellAfter = 0;
      await ask(path, () => prepareLockFile(path)).catch(unlessStalled(path));
      const connection = openLockConnection(path);
      try {
        while (!(await tryLock(connection, path))) {
          const waited = clock.monotonic() - begun;
          if (waited >= waitMs) {
            throw new CommandError(
              "try-again",
              `${await describeHolder(holderPath)} holds the lock of ${what}. Nothing was changed. Try again when it is done.`,
            );
          }
          if (onHeld !== undefined && waited >= tellAfter) {
            tellAfter = waited + tellEveryMs;
            onHeld(await describeHolder(holderPath), waited);
          }
          const pauseMs = waited < patientAfterMs ? retryMs : patientRetryMs;
          await clock.sleep(Math.min(pauseMs, waitMs - waited), signal);
        }
      } catch (error) {
        await close(connection, path);
        throw error;
      }
      await writeHolder(holderPath, new Date(clock.now()));
      return heldLock(connection, path, holderPath);
    },
  };
}

/** The kernel takes it away from nobody who lives: it has no term, and a paused holder still has it. */
function heldLock(connection: LockConnection, path: string, holderPath: string): HeldLock {
  let released = false;
  const isOurs = (): boolean => !released && connection.isLocked();
  return {
    identity: `file lock ${path}`,
    heldUntil: () => (isOurs() ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
    renew: async () => isOurs(),
    async release() {
      if (released) return;
      released = true;
      await clearHolder(holderPath);
      await close(connection, path);
    },
  };
}

/** False where another holds it. One that comes after it was given up is given back at once: `close` follows it in its thread. */
async function tryLock(connection: LockConnection, path: string): Promise<boolean> {
  try {
    return await ask(path, () => connection.tryLock()).catch(unlessStalled(path));
  } catch (error) {
    throw error instanceof LockThreadError ? lockRefused(path, error) : error;
  }
}

/** Where the file system does not answer, it is closed as soon as it does; until then nobody gets in, here or elsewhere. */
async function close(connection: LockConnection, path: string): Promise<void> {
  const closed = connection.close();
  await ask(path, () => closed).catch(() => {});
}

function lockRefused(path: string, error: LockThreadError): CommandError {
  const code = error.errcode === undefined ? "unknown" : error.errcode & primary;
  return new CommandError(
    "system-refused",
    `The lock file ${path} could not be locked (SQLite's code ${code}). See that its folder is on a local disk and can be written; if the file is not empty, this program did not make it: move it away.`,
    error,
  );
}

/** SQLite puts details into the higher bits of its code. */
const primary = 0xff;

/**
 * Makes the lock's file with mode 0600, because SQLite would make it 0644, or sees that
 * the one there is ours alone. Throws `CommandError` `system-refused`.
 *
 * An existing file must not be opened here, and a new one is opened and closed in one
 * question to the file system: closing *any* descriptor of a file drops every POSIX lock that the
 * process has on it (fcntl(2)), those that SQLite took included, and until the question is answered
 * nobody of this process is at the file (`ask` lets one question into a folder).
 */
async function prepareLockFile(path: string): Promise<void> {
  try {
    const made = await open(path, "wx", 0o600);
    await made.close();
  } catch (error) {
    const code = systemCode(error);
    if (code !== "EEXIST") throw notMade(path, code, error);
    await refuseForeignFile(path);
    await refuseReadOnly(path);
  }
}

async function refuseForeignFile(path: string): Promise<void> {
  const stats = await lstat(path);
  const ours = stats.isFile() && stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0;
  if (ours) return;
  throw new CommandError(
    "system-refused",
    `The lock file ${path} is not a regular file of this user with mode 0600. See who made it, and move it away.`,
  );
}

/** SQLite would open it for reading only, and then its exclusive lock excludes nobody. */
async function refuseReadOnly(path: string): Promise<void> {
  try {
    await access(path, constants.W_OK);
  } catch (error) {
    const code = systemCode(error) ?? "unknown";
    throw new CommandError(
      "system-refused",
      `The lock file ${path} can't be written (${code}), so it locks nothing. See that its mode is 0600 and that its disk is not read-only.`,
      error,
    );
  }
}

function unlessStalled(path: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof StalledError)) throw error;
    throw new CommandError(
      "system-refused",
      `The lock file ${path} could not be looked at: its file system does not answer. See that its disk is there.`,
      error,
    );
  };
}

function notMade(path: string, code: string | undefined, error: unknown): CommandError {
  const mend =
    code === "ENOENT"
      ? `Make the folder ${dirname(path)}, owned by the user of this process, with mode 0700.`
      : `See that the user of this process may write to the folder ${dirname(path)}, and that its disk is neither full nor read-only.`;
  return new CommandError(
    "system-refused",
    `The lock file ${path} could not be made (${code ?? "unknown"}). ${mend}`,
    error,
  );
}

/**
 * Who holds a lock, in a plain file of mode 0600 beside it: for people only. It may be
 * old (a holder was killed) or missing (it was not yet written), so nothing is decided by it.
 */
const holderLine = /^process (\d{1,10}) on ([A-Za-z0-9._-]{1,253}) since (\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)\n$/;

/** Writes this process as the holder. A failure is kept quiet: the lock holds without it. */
async function writeHolder(path: string, since: Date): Promise<void> {
  const line = `process ${process.pid} on ${hostname()} since ${since.toISOString()}\n`;
  try {
    await ask(path, async () => {
      await rm(path, { force: true });
      await writeFile(path, line, { flag: "wx", mode: 0o600 });
    });
  } catch {
    // A full disk, say: whoever waits is then told of "another process".
  }
}

/** Removes the file again. */
async function clearHolder(path: string): Promise<void> {
  try {
    await ask(path, () => rm(path, { force: true }));
  } catch {
    // What is left behind is replaced by the next holder.
  }
}

/** The subject of a sentence: `Process 12 on web-1 (since …)`, or `Another process` where nothing usable stands there. */
async function describeHolder(path: string): Promise<string> {
  try {
    const read = await readBounded(path, { maxBytes: 512, followLink: false });
    const line = read.kind === "content" ? read.bytes.toString("latin1") : "";
    const [, pid, host, since] = holderLine.exec(line) ?? [];
    if (pid !== undefined) return `Process ${pid} on ${host} (since ${since})`;
  } catch {
    // Told as below.
  }
  return "Another process";
}
