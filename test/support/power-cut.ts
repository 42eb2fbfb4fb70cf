import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const preload = fileURLToPath(new URL("children/synced-lengths.ts", import.meta.url));

/**
 * What a machine that loses its power leaves of a file: what was on the disk by an fsync that had
 * come back, and of all else anything from nothing to the whole. A killed process loses nothing
 * that it has written, so that no kill alone can show whether a program waits for its disk.
 */
export interface PowerCut {
  /** How the program is to be started. */
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What the file has now is on the disk. */
  settle(file: string): void;
  /** No process may write it. @param kept from 0 to 1, of what was not on the disk @returns bytes that are lost */
  cut(file: string, kept: number): number;
}

export function createPowerCut(folder: string): PowerCut {
  mkdirSync(folder);
  const lengthPath = (inode: number): string => join(folder, String(inode));
  return {
    nodeArgs: ["--import", preload],
    env: { SYNCED_LENGTHS: folder },
    settle(file) {
      const stats = statSync(file, { throwIfNoEntry: false });
      if (stats !== undefined) writeFileSync(lengthPath(stats.ino), String(stats.size));
    },
    cut(file, kept) {
      const stats = statSync(file, { throwIfNoEntry: false });
      if (stats === undefined) return 0;
      const synced = Math.min(stats.size, lengthIn(lengthPath(stats.ino)));
      const left = synced + Math.floor((stats.size - synced) * kept);
      truncateSync(file, left);
      return stats.size - left;
    },
  };
}

function lengthIn(path: string): number {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? 0 : Number(readFileSync(path, "utf8"));
}
