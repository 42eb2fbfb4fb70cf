import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, readdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

import { systemCode } from "../errors.ts";
import { ask } from "../files/stalls.ts";

/** Which file it is, and how long. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
}

/** What stands at a path; links are not followed. */
export interface FileLook extends FileIdentity {
  readonly kind: "file" | "link" | "other";
  readonly owner: number;
  /** Permission bits only. */
  readonly mode: number;
}

/** A file that is open for writing at its end. Everything rejects with the system's own error. */
export interface AppendedFile {
  /** All the bytes; if it rejects, nobody knows how many. */
  append(bytes: Uint8Array): Promise<void>;
  /** All that was appended before it was called is on the disk. */
  sync(): Promise<void>;
  identity(): Promise<FileIdentity>;
  close(): Promise<void>;
}

/** What the record asks of a file system: passed in, so that a test can make it slow, full or false. */
export interface Disk {
  /** Undefined where nothing is. Rejects with `StalledError` where the file system does not answer. */
  look(path: string): Promise<FileLook | undefined>;
  /** Makes a file that is not there yet. */
  create(path: string, mode: number): Promise<AppendedFile>;
  openAtEnd(path: string): Promise<AppendedFile>;
  /** Hands out the bytes from the beginning, in pieces. */
  read(path: string, onPiece: (piece: Buffer) => void): Promise<void>;
  namesBeside(path: string): Promise<readonly string[]>;
  /** Gives what stands at a path a second name, if that is free. */
  link(path: string, second: string): Promise<void>;
  /** Puts it in the place of whatever stands there. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** What was made, linked or renamed beside the path outlives a power cut. */
  syncFolder(path: string): Promise<void>;
}

const pieceBytes = 1024 * 1024;

/** The system's. What changes something is waited for however long it takes: given up, it might still be done. */
export const systemDisk: Disk = {
  look: (path) => ask(path, () => look(path)),
  create: (path, mode) =>
    change(path, async () => {
      const file = await open(path, constants.O_CREAT | constants.O_EXCL | appending, mode);
      // The mask of the process may have taken bits away.
      await file.chmod(mode);
      return appended(path, file);
    }),
  openAtEnd: (path) => change(path, async () => appended(path, await open(path, appending))),
  async read(path, onPiece) {
    const file = await ask(path, () => open(path, constants.O_RDONLY | constants.O_NOFOLLOW));
    try {
      for (;;) {
        const piece = Buffer.allocUnsafe(pieceBytes);
        const { bytesRead } = await ask(path, () => file.read(piece, 0, pieceBytes, null));
        if (bytesRead === 0) return;
        onPiece(piece.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  },
  namesBeside: (path) => ask(path, () => readdir(dirname(path))),
  link: (path, second) => change(path, () => link(path, second)),
  rename: (from, to) => change(to, () => rename(from, to)),
  remove: (path) => change(path, () => rm(path, { force: true })),
  syncFolder: (path) =>
    change(path, async () => {
      const folder = await open(dirname(path), constants.O_RDONLY);
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    }),
};

const appending = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function change<T>(path: string, work: () => Promise<T>): Promise<T> {
  return ask(path, work, { givesUp: false });
}

function appended(path: string, file: FileHandle): AppendedFile {
  return {
    append: (bytes) =>
      change(path, async () => {
        for (let at = 0; at < bytes.length;) {
          const { bytesWritten } = await file.write(bytes, at);
          at += bytesWritten;
        }
      }),
    sync: () => change(path, () => file.datasync()),
    identity: () =>
      change(path, async () => {
        const { dev, ino, size } = await file.stat();
        return { device: dev, inode: ino, size };
      }),
    close: () => change(path, () => file.close()),
  };
}

async function look(path: string): Promise<FileLook | undefined> {
  try {
    const stats = await lstat(path);
    return {
      kind: kindOf(stats),
      device: stats.dev,
      inode: stats.ino,
      size: stats.size,
      owner: stats.uid,
      mode: stats.mode & 0o7777,
    };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function kindOf(stats: { isFile(): boolean; isSymbolicLink(): boolean }): FileLook["kind"] {
  if (stats.isFile()) return "file";
  return stats.isSymbolicLink() ? "link" : "other";
}
