import { accessSync, closeSync, constants, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";

import { Failure, systemCode } from "../errors.ts";

/**
 * Makes the lock's file with mode 0600, because SQLite would make it 0644, or sees that
 * the one there is ours alone. Throws `Failure` `system-refused`.
 *
 * An existing file must not be opened here, and a new one is opened and closed in one
 * step: closing *any* descriptor of a file drops every POSIX lock that the process has on
 * it (fcntl(2)), those that SQLite took included.
 */
export function prepareLockFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    const code = systemCode(error);
    if (code !== "EEXIST") throw notMade(path, code, error);
    refuseForeignFile(path);
    refuseReadOnly(path);
  }
}

function refuseForeignFile(path: string): void {
  const stats = lstatSync(path);
  const ours = stats.isFile() && stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0;
  if (ours) return;
  throw new Failure(
    "system-refused",
    `The lock file ${path} is not a regular file of this user with mode 0600. See who made it, and move it away.`,
  );
}

/** SQLite would open it for reading only, and then its exclusive lock excludes nobody. */
function refuseReadOnly(path: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    const code = systemCode(error) ?? "unknown";
    throw new Failure(
      "system-refused",
      `The lock file ${path} can't be written (${code}), so it locks nothing. See that its mode is 0600 and that its disk is not read-only.`,
      error,
    );
  }
}

function notMade(path: string, code: string | undefined, error: unknown): Failure {
  const mend =
    code === "ENOENT"
      ? `Make the folder ${dirname(path)}, owned by the user of this process, with mode 0700.`
      : `See that the user of this process may write to the folder ${dirname(path)}, and that its disk is neither full nor read-only.`;
  return new Failure(
    "system-refused",
    `The lock file ${path} could not be made (${code ?? "unknown"}). ${mend}`,
    error,
  );
}
