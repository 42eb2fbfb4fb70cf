import { randomUUID } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Puts `content` in the place of whatever stands at `path`, whole or not at all: a reader,
 * and the file system after a power cut, has the old content or the new one. Mode 0600.
 *
 * Throws the system's own error. If the rename had not been reached, nothing was changed
 * and nothing is left behind; if only the folder could not be synced, the new content
 * stands but may not outlive a power cut. The caller has to read again to know.
 */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `${temporaryPrefix(path)}${randomUUID()}${temporarySuffix}`);
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
 * Removes what writers of `path` that were killed left beside it. Only for a caller that
 * holds the lock under which `path` is written: else it takes the file of a writer at work.
 */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = temporaryPrefix(path);
  for (const name of await readdir(folder)) {
    const middle = name.slice(prefix.length, -temporarySuffix.length);
    if (name === `${prefix}${middle}${temporarySuffix}` && uuid.test(middle)) {
      await rm(join(folder, name), { force: true });
    }
  }
}

const temporarySuffix = ".tmp";
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function temporaryPrefix(path: string): string {
  return `.${basename(path)}.`;
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
