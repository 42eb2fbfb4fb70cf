import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

import { systemCode } from "../errors.ts";

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
}

/**
 * Reads a regular file whole, in one opening: owner and mode are those of the bytes read,
 * even if the path is replaced meanwhile. Throws the system's own error (`EACCES`, `EIO`…).
 */
export async function readBounded(path: string, options: ReadBoundedOptions): Promise<BoundedRead> {
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
