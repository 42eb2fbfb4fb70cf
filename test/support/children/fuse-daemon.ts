import { spawnSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

// The other side of a FUSE mount (kernel's include/uapi/linux/fuse.h): shows the files of a folder, and lets them be written, renamed and linked.
// fuse-daemon.ts MOUNT-POINT FOLDER
const [mountPoint = "", folder = ""] = process.argv.slice(2);

const device = openSync("/dev/fuse", "r+");
const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
const { status, stderr } = spawnSync("mount", ["-i", "-t", "fuse", "-o", options, "lab", mountPoint], {
  stdio: ["ignore", "inherit", "pipe", device],
  encoding: "utf8",
});
if (status !== 0) {
  process.stdout.write(`refused: ${stderr}\n`);
  process.exit(1);
}

const names: string[] = [];
const rootId = 1n;
const blank = Buffer.alloc(0);

function idOf(name: string): bigint {
  if (!names.includes(name)) names.push(name);
  return BigInt(names.indexOf(name)) + 2n;
}

function contentOf(id: bigint): Buffer | undefined {
  try {
    return readFileSync(join(folder, names[Number(id) - 2] ?? ""));
  } catch {
    return undefined;
  }
}

/** struct fuse_attr. The modification time is the content's sum, so that it changes with it. */
function attributes(id: bigint): Buffer | undefined {
  const content = id === rootId ? blank : contentOf(id);
  if (content === undefined) return undefined;
  const attr = Buffer.alloc(88);
  attr.writeBigUInt64LE(id, 0);
  attr.writeBigUInt64LE(BigInt(content.length), 8);
  const time = BigInt(content.reduce((sum, byte) => sum + byte, 1));
  for (const at of [24, 32, 40]) attr.writeBigUInt64LE(time, at);
  attr.writeUInt32LE(id === rootId ? 0o40755 : 0o100600, 60);
  attr.writeUInt32LE(1, 64);
  attr.writeUInt32LE(4096, 80);
  return attr;
}

/** struct fuse_entry_out, nothing of it kept by the kernel; or ENOENT. */
function entryOf(name: string): Buffer | number {
  const found = readdirSync(folder).includes(name) ? attributes(idOf(name)) : undefined;
  if (found === undefined) return 2;
  const entry = Buffer.alloc(40);
  entry.writeBigUInt64LE(idOf(name), 0);
  return Buffer.concat([entry, found]);
}

/** struct fuse_open_out: FOPEN_DIRECT_IO. */
function opened(): Buffer {
  const open = Buffer.alloc(16);
  open.writeUInt32LE(1, 8);
  return open;
}

/** Texts that end with a zero byte. */
function textsIn(body: Buffer): string[] {
  return body.toString().split("\0");
}

function pathOf(name: string): string {
  return join(folder, name);
}

function rename(from: string, to: string): void {
  renameSync(pathOf(from), pathOf(to));
  const replaced = names.indexOf(to);
  if (replaced >= 0) names[replaced] = "";
  // It is the same file as before.
  const moved = names.indexOf(from);
  if (moved >= 0) names[moved] = to;
}

function write(id: bigint, body: Buffer): Buffer {
  const file = openSync(pathOf(names[Number(id) - 2] ?? ""), "r+");
  const size = body.readUInt32LE(16);
  writeSync(file, body, 40, size, Number(body.readBigUInt64LE(8)));
  closeSync(file);
  const written = Buffer.alloc(8);
  written.writeUInt32LE(size, 0);
  return written;
}

/** struct fuse_dirent for each file from the offset on. */
function entriesFrom(offset: number): Buffer {
  const entries = readdirSync(folder).map((name, index) => {
    const entry = Buffer.alloc(24 + Math.ceil(Buffer.byteLength(name) / 8) * 8);
    entry.writeBigUInt64LE(idOf(name), 0);
    entry.writeBigUInt64LE(BigInt(index + 1), 8);
    entry.writeUInt32LE(Buffer.byteLength(name), 16);
    entry.writeUInt32LE(8, 20);
    entry.write(name, 24);
    return entry;
  });
  return Buffer.concat(entries.slice(offset));
}

function answer(request: Buffer): Buffer | number | undefined {
  const opcode = request.readUInt32LE(4);
  const id = request.readBigUInt64LE(16);
  const body = request.subarray(40);
  switch (opcode) {
    case 1:
      return entryOf(textsIn(body)[0] ?? "");
    case 2:
    case 36:
    case 42:
      // FORGET, INTERRUPT, BATCH_FORGET: no answer.
      return undefined;
    case 3: {
      const found = attributes(id);
      return found === undefined ? 2 : Buffer.concat([Buffer.alloc(16), found]);
    }
    case 4: {
      // SETATTR: of all that may be set, the size alone (FATTR_SIZE).
      if ((body.readUInt32LE(0) & 8) !== 0)
        truncateSync(pathOf(names[Number(id) - 2] ?? ""), Number(body.readBigUInt64LE(16)));
      const found = attributes(id);
      return found === undefined ? 2 : Buffer.concat([Buffer.alloc(16), found]);
    }
    case 10:
      unlinkSync(pathOf(textsIn(body)[0] ?? ""));
      return blank;
    case 12:
    case 45: {
      // RENAME, RENAME2.
      const [from = "", to = ""] = textsIn(body.subarray(request.readUInt32LE(4) === 12 ? 8 : 16));
      rename(from, to);
      return blank;
    }
    case 13: {
      const [name = ""] = textsIn(body.subarray(8));
      if (readdirSync(folder).includes(name)) return 17;
      linkSync(pathOf(names[Number(body.readBigUInt64LE(0)) - 2] ?? ""), pathOf(name));
      return entryOf(name);
    }
    case 14:
    case 27:
      // OPEN, OPENDIR.
      return opened();
    case 16:
      return write(id, body);
    case 35: {
      // CREATE.
      const [name = ""] = textsIn(body.subarray(16));
      closeSync(openSync(pathOf(name), "w", 0o600));
      const entry = entryOf(name);
      return typeof entry === "number" ? entry : Buffer.concat([entry, opened()]);
    }
    case 15: {
      const offset = Number(body.readBigUInt64LE(8));
      return (contentOf(id) ?? blank).subarray(offset, offset + body.readUInt32LE(16));
    }
    case 17:
      return Buffer.alloc(80);
    case 18:
    case 20:
    case 25:
    case 29:
    case 30:
      // RELEASE, FSYNC, FLUSH, RELEASEDIR, FSYNCDIR.
      return blank;
    case 26: {
      // INIT: struct fuse_init_out of version 7.31.
      const init = Buffer.alloc(64);
      init.writeUInt32LE(7, 0);
      init.writeUInt32LE(31, 4);
      init.writeUInt32LE(65_536, 8);
      init.writeUInt16LE(12, 16);
      init.writeUInt16LE(12, 18);
      init.writeUInt32LE(65_536, 20);
      init.writeUInt32LE(1, 24);
      return init;
    }
    case 28:
      return entriesFrom(Number(body.readBigUInt64LE(8)));
    default:
      return 38;
  }
}

function readRequest(): number {
  try {
    return readSync(device, buffer);
  } catch {
    // It is mounted no more.
    return process.exit(0);
  }
}

process.stdout.write("mounted\n");
const buffer = Buffer.alloc(1024 * 1024);
for (;;) {
  const request = buffer.subarray(0, readRequest());
  const answered = answer(request);
  if (answered === undefined) continue;
  const payload = typeof answered === "number" ? blank : answered;
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + payload.length, 0);
  head.writeInt32LE(typeof answered === "number" ? -answered : 0, 4);
  head.writeBigUInt64LE(request.readBigUInt64LE(8), 8);
  writeSync(device, Buffer.concat([head, payload]));
}
