import { basename, dirname } from "node:path";

import type { AppendedFile, Disk, FileIdentity } from "../../../src/audit/disk.ts";
import type { Random } from "../random.ts";
import type { SimProcess } from "../sim-process.ts";
import type { Story } from "../story.ts";
import type { Timeline } from "../timeline.ts";

/** A file of a simulated disk. */
interface Node {
  readonly inode: number;
  readonly mode: number;
  bytes: Buffer;
  /** How many of them a power cut is sure to leave. */
  durable: number;
  /** A failed sync has thrown pages away: what is behind `durable` never will be, whatever a later sync says. */
  isLost: boolean;
}

/** The disk of one machine: it outlives the processes that write to it. */
export interface SimDisk {
  /** The same as a process sees it, in its own time. */
  openFor(process: SimProcess): Disk;
  /** As anybody may read it when nobody writes: for whoever verifies. */
  readonly still: Disk;
  /** Paths of the files. */
  paths(): readonly string[];
  /** Does a durable line hold this text? */
  isDurable(text: string): boolean;
  /** The machine lost its power: what was not synced may be gone. */
  cutPower(): void;
  /** Nothing can be written for so long. */
  fill(ms: number): void;
  /** Nothing is answered for so long. */
  stall(ms: number): void;
  mend(): void;
}

export interface SimDiskOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  /** Share of the writes and syncs that fail. */
  readonly badDisk: number;
}

export function createSimDisk({ name, timeline, random, story, badDisk }: SimDiskOptions): SimDisk {
  let names = new Map<string, Node>();
  /** As a power cut would leave them. */
  let durableNames = new Map<string, Node>();
  let inodes = 0;
  let fullUntil = 0;
  let stalledUntil = 0;
  let share = badDisk;

  function find(path: string): Node {
    const node = names.get(path);
    if (node === undefined) throw systemError("ENOENT");
    return node;
  }

  const isFull = (): boolean => timeline.now() < fullUntil;
  const fails = (): boolean => share > 0 && random.chance(share);
  const delay = (): number => {
    const usual = random.chance(0.9) ? random.between(0.1, 3) : random.between(3, 80);
    return Math.max(0, stalledUntil - timeline.now()) + usual;
  };

  /** Does it after a while, if its process lives then; a process that dies has done a part of it, or all. */
  function later<T>(process: SimProcess, work: () => T, onDeath: () => void = () => {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!process.isAlive()) return promise;
    let isOver = false;
    process.onDeath(() => {
      if (!isOver) onDeath();
      isOver = true;
    });
    timeline.after(delay(), () => {
      if (isOver) return;
      isOver = true;
      try {
        const result = work();
        process.deliver(0, () => resolve(result));
      } catch (error) {
        process.deliver(0, () => reject(error));
      }
    });
    return promise;
  }

  function openNode(process: SimProcess, node: Node): AppendedFile {
    const add = (bytes: Uint8Array): void => {
      node.bytes = Buffer.concat([node.bytes, bytes]);
    };
    return {
      append: (bytes) =>
        later(
          process,
          () => {
            if (!isFull() && !fails()) {
              add(bytes);
              return;
            }
            add(bytes.subarray(0, random.whole(0, bytes.length)));
            story.tell(() => `disk ${name}: a write fails`);
            throw systemError(isFull() ? "ENOSPC" : "EIO");
          },
          () => add(bytes.subarray(0, random.whole(0, bytes.length))),
        ),
      sync() {
        // What is appended after it was asked for it does not promise.
        const { length } = node.bytes;
        return later(process, () => {
          if (fails()) {
            node.isLost = true;
            story.tell(() => `disk ${name}: a sync fails`);
            throw systemError("EIO");
          }
          if (!node.isLost) node.durable = Math.max(node.durable, length);
        });
      },
      identity: () => later(process, () => identityOf(node)),
      close: () => later(process, () => {}),
    };
  }

  function makeNode(path: string, mode: number): Node {
    if (isFull() || fails()) throw systemError("ENOSPC");
    if (names.has(path)) throw systemError("EEXIST");
    const node: Node = { inode: ++inodes, mode, bytes: Buffer.alloc(0), durable: 0, isLost: false };
    names.set(path, node);
    return node;
  }

  const look: Disk["look"] = async (path) => {
    const node = names.get(path);
    if (node === undefined) return undefined;
    return { kind: "file", ...identityOf(node), owner: process.geteuid?.() ?? 0, mode: node.mode };
  };
  const namesBeside = (path: string): string[] =>
    [...names.keys()].filter((each) => dirname(each) === dirname(path)).map((each) => basename(each));

  function openFor(own: SimProcess): Disk {
    return {
      look: (path) => later(own, () => path).then(look),
      create: (path, mode) => later(own, () => openNode(own, makeNode(path, mode))),
      openAtEnd: (path) =>
        later(own, () => {
          const node = find(path);
          // Of a sync that has failed in an earlier process nobody can know: that is not modelled.
          node.isLost = false;
          return openNode(own, node);
        }),
      read: (path, onPiece) => later(own, () => onPiece(find(path).bytes)),
      namesBeside: (path) => later(own, () => namesBeside(path)),
      link: (path, second) =>
        later(own, () => {
          if (names.has(second)) throw systemError("EEXIST");
          names.set(second, find(path));
        }),
      rename: (from, to) =>
        later(own, () => {
          names.set(to, find(from));
          names.delete(from);
        }),
      remove: (path) => later(own, () => void names.delete(path)),
      syncFolder: () =>
        later(own, () => {
          if (fails()) throw systemError("EIO");
          durableNames = new Map(names);
        }),
    };
  }

  const refuse = async (): Promise<never> => {
    throw new Error("nobody writes to a disk that is only looked at");
  };

  return {
    openFor,
    still: {
      look,
      create: refuse,
      openAtEnd: refuse,
      read: async (path, onPiece) => onPiece(find(path).bytes),
      namesBeside: async (path) => namesBeside(path),
      link: refuse,
      rename: refuse,
      remove: refuse,
      syncFolder: refuse,
    },
    paths: () => [...names.keys()].toSorted(),
    isDurable: (text) =>
      [...names.values()].some(({ bytes, durable }) => bytes.subarray(0, durable).includes(text)),
    cutPower() {
      story.tell(() => `disk ${name}: the power is cut`);
      if (random.chance(0.5)) names = new Map(durableNames);
      for (const node of new Set(names.values())) {
        const left = random.chance(0.5) ? node.durable : random.whole(node.durable, node.bytes.length);
        node.bytes = node.bytes.subarray(0, node.isLost ? node.durable : left);
        node.durable = node.bytes.length;
        node.isLost = false;
      }
      durableNames = new Map(names);
    },
    fill(ms) {
      story.tell(() => `disk ${name} is full for ${(ms / 1_000).toFixed(1)} s`);
      fullUntil = timeline.now() + ms;
    },
    stall(ms) {
      story.tell(() => `disk ${name} does not answer for ${(ms / 1_000).toFixed(1)} s`);
      stalledUntil = timeline.now() + ms;
    },
    mend() {
      fullUntil = 0;
      stalledUntil = 0;
      share = 0;
    },
  };
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function identityOf({ inode, bytes }: Node): FileIdentity {
  return { device: 1, inode, size: bytes.length };
}
