// Loaded before the program (`--import`): takes down in the folder SYNCED_LENGTHS, by inode, how long each file was
// whose fdatasync has come back. What a file has beyond that would be lost with the machine's power.
import { fstatSync, renameSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";

const folder = process.env["SYNCED_LENGTHS"] ?? "";

const handle = await open(process.execPath);
const prototype: Pick<FileHandle, "datasync"> = Object.getPrototypeOf(handle);
await handle.close();

const { datasync } = prototype;
prototype.datasync = async function taken(this: FileHandle): Promise<void> {
  const { ino, size } = fstatSync(this.fd);
  await datasync.call(this);
  // The program goes on when it is taken down, so that nothing counts to it that does not count here.
  const path = join(folder, String(ino));
  writeFileSync(`${path}.new`, String(size));
  renameSync(`${path}.new`, path);
};
