import { basename, dirname } from "node:path";

import type { AppendedFile, Disk, FileIdentity, FileLook } from "../../src/audit/disk.ts";

/** A file of a disk in memory. */
interface Node {
  readonly inode: number;
  readonly mode: number;
  bytes: Buffer;
  /** How many of them a power cut leaves. */
  durable: number;
}

/** What a test has the disk do before it does what it was asked. An error is thrown; a promise is waited for. */
export interface DiskFaults {
  /** A number: so many bytes are written, and then it is full. */
  append?: ((bytes: Uint8Array) => Promise<void> | number | undefined) | undefined;
  sync?: (() => Promise<void> | Error | undefined) | undefined;
  create?: (() => Error | undefined) | undefined;
}

/** A disk in memory, which does what the real one may do once in years. */
export interface MemoryDisk extends Disk {
  readonly faults: DiskFaults;
  /** What was asked, in order: `append 120`, `synced`. */
  readonly log: string[];
  /** How many files are open. */
  opened(): number;
  /** Paths of the files, sorted. */
  paths(): string[];
  text(path: string): string;
  put(path: string, content: string | Buffer): void;
  /** Adds to a file what no sync has seen. */
  grow(path: string, content: string): void;
  /** The lines of a file, parsed. */
  lines(path: string): Record<string, unknown>[];
  /** What is found after a power cut: only what was synced is left. */
  afterPowerCut(): MemoryDisk;
}

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

export function createMemoryDisk(): MemoryDisk {
  const files = new Map<string, Node>();
  const faults: DiskFaults = {};
  const log: string[] = [];
  let inodes = 0;
  let opened = 0;

  function make(path: string, mode: number): Node {
    const node: Node = { inode: ++inodes, mode, bytes: Buffer.alloc(0), durable: 0 };
    files.set(path, node);
    return node;
  }

  function find(path: string): Node {
    const node = files.get(path);
    if (node === undefined) throw systemError("ENOENT");
    return node;
  }

  function appended(node: Node): AppendedFile {
    opened += 1;
    return {
      async append(bytes) {
        log.push(`append ${bytes.length}`);
        const fault = faults.append?.(bytes);
        if (typeof fault === "number") {
          node.bytes = Buffer.concat([node.bytes, bytes.subarray(0, fault)]);
          throw systemError("ENOSPC");
        }
        await fault;
        node.bytes = Buffer.concat([node.bytes, bytes]);
        log.push("appended");
      },
      async sync() {
        log.push("sync");
        const before = node.bytes.length;
        const fault = faults.sync?.();
        if (fault instanceof Error) throw fault;
        await fault;
        node.durable = before;
        log.push("synced");
      },
      identity: async () => identityOf(node),
      async close() {
        opened -= 1;
      },
    };
  }

  return {
    faults,
    log,
    async look(path): Promise<FileLook | undefined> {
      const node = files.get(path);
      if (node === undefined) return undefined;
      return { kind: "file", ...identityOf(node), owner: process.geteuid?.() ?? 0, mode: node.mode };
    },
    async create(path, mode) {
      const fault = faults.create?.();
      if (fault !== undefined) throw fault;
      if (files.has(path)) throw systemError("EEXIST");
      return appended(make(path, mode));
    },
    openAtEnd: async (path) => appended(find(path)),
    async read(path, onPiece) {
      const { bytes } = find(path);
      // In odd pieces, so that lines are cut where they like.
      for (let at = 0; at < bytes.length; at += 77) onPiece(bytes.subarray(at, at + 77));
    },
    namesBeside: async (path) =>
      [...files.keys()].filter((each) => dirname(each) === dirname(path)).map((each) => basename(each)),
    async link(path, second) {
      if (files.has(second)) throw systemError("EEXIST");
      files.set(second, find(path));
    },
    async rename(from, to) {
      files.set(to, find(from));
      files.delete(from);
    },
    async remove(path) {
      files.delete(path);
    },
    async syncFolder() {},
    opened: () => opened,
    paths: () => [...files.keys()].toSorted(),
    text: (path) => find(path).bytes.toString("utf8"),
    grow(path, content) {
      const node = find(path);
      node.bytes = Buffer.concat([node.bytes, Buffer.from(content)]);
    },
    put(path, content) {
      const node = files.get(path) ?? make(path, 0o600);
      node.bytes = Buffer.from(content);
      node.durable = node.bytes.length;
    },
    lines: (path) =>
      find(path)
        .bytes.toString("utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => ({ ...JSON.parse(line) })),
    afterPowerCut() {
      const left = createMemoryDisk();
      for (const [path, { bytes, durable }] of files) left.put(path, bytes.subarray(0, durable));
      return left;
    },
  };
}

function identityOf({ inode, bytes }: Node): FileIdentity {
  return { device: 1, inode, size: bytes.length };
}
