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
