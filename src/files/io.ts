import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { systemCode } from "../errors.ts";
import { ask } from "./stalls.ts";

/** Why this can't be the path of a file: a relative one would hang on the folder that the process runs in, which is nobody's choice. Goes on from a name. */
export function faultOfPath(text: string): string | undefined {
  if (!text.startsWith("/")) return "is not an absolute path; it must begin with /";
  if (/\p{Cc}/u.test(text)) return "holds a control character";
  if (text.endsWith("/")) return "is a folder; name a file in it";
  return undefined;
}

/** What stands at a path. `mode` holds the permission bits only. */
export type BoundedRead =
  | { readonly kind: "content"; readonly bytes: Buffer; readonly owner: number; readonly mode: number }
  | { readonly kind: "absent" }
  | { readonly kind: "link" }
  | { readonly kind: "not-a-file" }
  | { readonly kind: "too-large" };

export interface ReadBoundedOptions {
  /** Bytes; a larger file is not read. */
  readonly maxBytes: number;
  /** Mounts need links; a file that this program replaces by a rename must not be one. */
  readonly followLink: boolean;
  /** A file of the system's own, which is read whatever else does not answer. */
  readonly ofSystem?: boolean;
}

/**
 * Reads a regular file whole, in one opening: owner and mode are those of the bytes read,
 * even if the path is replaced meanwhile. Throws the system's own error (`EACCES`, `EIO`…), or `StalledError`.
 */
export function readBounded(path: string, options: ReadBoundedOptions): Promise<BoundedRead> {
  return options.ofSystem === true ? read(path, options) : ask(path, () => read(path, options));
}

async function read(path: string, options: ReadBoundedOptions): Promise<BoundedRead> {
  // O_NONBLOCK: opening a pipe that nobody writes to would otherwise never return.
  const follow = options.followLink ? 0 : constants.O_NOFOLLOW;
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | follow);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return { kind: "absent" };
    if (code === "ELOOP" && !options.followLink) return { kind: "link" };
    if (code === "ENXIO") return { kind: "not-a-file" };
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return { kind: "not-a-file" };
    const bytes = await readUpTo(file, options.maxBytes + 1);
    if (bytes.length > options.maxBytes) return { kind: "too-large" };
    return { kind: "content", bytes, owner: stats.uid, mode: stats.mode & 0o7777 };
  } finally {
    await file.close();
  }
}

/** The size is found by reading: the one in the file's stat may be old, or 0 for made-up files. */
async function readUpTo(file: FileHandle, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < limit) {
    const chunk = Buffer.alloc(Math.min(limit - total, 64 * 1024));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    total += bytesRead;
  }
  return Buffer.concat(chunks, total);
}

/**
 * Puts `content` in the place of whatever stands at `path`, whole or not at all: a reader,
 * and the file system after a power cut, has the old content or the new one. Mode 0600.
 *
 * Throws the system's own error. If the rename had not been reached, nothing was changed
 * and nothing is left behind; if only the folder could not be synced, the new content
 * stands but may not outlive a power cut. The caller has to read again to know. Where the file
 * system does not answer, it is waited for: given up, it might still be done, after another's.
 */
export function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  return ask(path, () => replace(path, content), { givesUp: false });
}

async function replace(path: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryBeside(path);
  // Exclusive creation: an existing file is not reused and a link is not followed (open(2), O_EXCL).
  const file = await open(temporary, "wx", 0o600);
  try {
    await writeAndClose(file, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/**
 * Puts `content` in the place of what stands in a regular file that somebody else has made, and that stays the same
 * one: whoever made it has it open, or mounted. Makes none. Throws the system's own error, as `ENOENT`.
 */
export async function overwrite(path: string, content: string): Promise<void> {
  const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
  const file = await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  try {
    if (!(await file.stat()).isFile()) return;
    await file.truncate();
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

/**
 * Removes what writers of `path` that were killed left beside it. Only for a caller that
 * holds the lock under which `path` is written: else it takes the file of a writer at work.
 */
export function removeLeftovers(path: string): Promise<void> {
  return ask(path, () => removeTemporary(path), { givesUp: false });
}

async function removeTemporary(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder))
    if (isTemporaryOf(path, name)) await rm(join(folder, name), { force: true });
}

const temporarySuffix = ".tmp";
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A new name beside a path, hidden: for what is made whole before it takes the path's place. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}${temporarySuffix}`);
}

/** Is it the name of a file that `temporaryBeside` named for this path, and that a writer which was killed has left? */
export function isTemporaryOf(path: string, name: string): boolean {
  const prefix = `.${basename(path)}.`;
  const middle = name.slice(prefix.length, -temporarySuffix.length);
  return name === `${prefix}${middle}${temporarySuffix}` && uuid.test(middle);
}

async function writeAndClose(file: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The rename itself is only durable once the folder is (fsync(2)). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
