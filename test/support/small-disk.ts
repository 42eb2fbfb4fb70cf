import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own, of a few pages. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves no page free. */
  fill(): void;
  /** Frees what `fill` has taken. */
  free(): void;
  /** Whether anything may be written to it. Refused by the kernel while somebody has a file of it open for writing. */
  mount(mode: "ro" | "rw"): void;
  remove(): void;
}

/** 256 KiB: a record, its copies while it is replaced, and two files that tell a lock's holder. */
const size = "size=256k,mode=0700";

/** @throws Error where this user may not mount */
export function createSmallDisk(): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), "small-disk-"));
  const filler = join(folder, "filler");
  try {
    mountBy("mount", "-t", "tmpfs", "-o", size, "tmpfs", folder);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return {
    folder,
    fill() {
      // Ever smaller pieces: a large one that finds no room takes none.
      for (const bytes of [64 * 1024, 4096, 1]) {
        while (tryToAppend(filler, bytes));
      }
    },
    free: () => rmSync(filler, { force: true }),
    mount: (mode) => mountBy("mount", "-o", `remount,${mode},${size}`, folder),
    remove() {
      mountBy("umount", folder);
      rmSync(folder, { recursive: true });
    },
  };
}

function tryToAppend(path: string, bytes: number): boolean {
  try {
    writeFileSync(path, Buffer.alloc(bytes), { flag: "a" });
    return true;
  } catch {
    return false;
  }
}

function mountBy(command: "mount" | "umount", ...argv: readonly string[]): void {
  const { status, stderr } = spawnSync(command, argv, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} was refused: ${stderr}`);
}

/** May this user mount? In many containers not even root may. */
export function canMount(): boolean {
  try {
    createSmallDisk().remove();
    return true;
  } catch {
    return false;
  }
}

/** A folder that belongs to whoever `asUser` runs as. */
export interface OwnFolder {
  readonly path: string;
  mode(mode: number): void;
  remove(): void;
}

export function createOwnFolder(): OwnFolder {
  const path = mkdtempSync(join(tmpdir(), "own-folder-"));
  if (process.getuid?.() === 0) spawnSync("chown", [String(nobody), path]);
  return {
    path,
    mode: (mode) => chmodSync(path, mode),
    remove() {
      chmodSync(path, 0o700);
      rmSync(path, { recursive: true });
    },
  };
}

const nobody = 65_534;

/** Options for a program that permissions bind: root's other self, or whoever this is. */
export const asUser =
  process.getuid?.() === 0
    ? {
        node: "setpriv",
        nodeArgs: [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", process.execPath],
      }
    : {};
