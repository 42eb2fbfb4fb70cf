import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";

import { CommandError, systemCode } from "../errors.ts";
import { isTemporaryOf, temporaryBeside } from "../files/io.ts";
import type { HeldLock, RenewalLock } from "../store/contract.ts";
import type { AppendedFile, Disk, FileIdentity, FileLook } from "./disk.ts";
import {
  type CompletedReference,
  type FileReason,
  fileBegunEntry,
  type OpenCall,
  type Writer,
} from "./entries.ts";
import { encodeLine, type Head } from "./line.ts";
import type { BeginState, Medium } from "./medium.ts";
import { asidePath, type Found, findNewest, isPassing, refusedPath, refuseStranger } from "./recover.ts";
import type { Segment } from "./segment.ts";

export interface FileMediumOptions {
  readonly path: string;
  /** Of the files that are made. */
  readonly mode: number;
  /** Bytes; a file that has as many is followed by another. */
  readonly mostBytes: number;
  readonly writer: Writer;
  /** Milliseconds to wait for another process that writes the same record. */
  readonly lockWaitMs: number;
}

export interface FileMediumDeps {
  readonly disk: Disk;
  /** Held by whoever writes the record. */
  readonly lock: Pick<RenewalLock, "acquire">;
  /**
   * Told of the calls that are open by the record, and of those whose money has moved, if there are any: as soon as it
   * was read, also where nothing can be written yet. Where it has to be read again, of what is new.
   */
  readonly onFound: (open: readonly OpenCall[], completed: readonly CompletedReference[]) => void;
}

export interface FileMedium extends Medium {
  /**
   * Takes the record's lock and reads its newest file; what was done already is not done again.
   * @throws CommandError as `openAudit`; or the system's own error, where the disk is full, fails or does not answer
   */
  prepare(): Promise<void>;
  /** What is wrong with what stands at the path; undefined where it is as it was left, or nobody can tell now. */
  findInterference(): Promise<string | undefined>;
}

/** A rotation that did not work out is tried again after so many more bytes. */
const retryBytes = 1024 * 1024;

/** The record in files: the newest at the path itself, those before it with their numbers behind it. */
export function createFileMedium(options: FileMediumOptions, deps: FileMediumDeps): FileMedium {
  const { path, mode, writer } = options;
  const { disk } = deps;
  let lock: HeldLock | undefined;
  /** Undefined until the record was read. */
  let chain: string | undefined;
  /** The newest file, until it is gone on with, or followed by another. */
  let found: Found | undefined;
  let current: AppendedFile | undefined;
  let identity: FileIdentity | undefined;
  /** Bytes of the present file; while something is being appended, those before it. */
  let bytes = 0;
  let number = 0;
  let rotateAt = options.mostBytes;
  /** The new name of a file is durable only once its folder is. */
  let folderDue = false;
  let appending = false;
  /** What was told of is not told again before another file is begun. */
  let isInterferenceTold = false;
  /** Ids of the open calls that were told. */
  const toldOpen = new Set<string>();

  function drop(): void {
    const dropped = current;
    current = undefined;
    // What a close of a failed file says tells nothing new, and it may hang with its disk.
    dropped?.close().catch(() => undefined);
  }

  function tellFound({ open }: Segment): void {
    const calls = open.all().filter(({ call }) => !toldOpen.has(call));
    for (const { call } of calls) toldOpen.add(call);
    const completed = open.completed();
    if (calls.length + completed.length > 0) deps.onFound(calls, completed);
  }

  async function prepare(): Promise<void> {
    if (chain !== undefined) return;
    await refuseStranger(disk, path, mode);
    lock ??= await takeLock(path, deps.lock, options.lockWaitMs);
    found = await findNewest(disk, path, mode);
    number = found?.segment.begun.file ?? 0;
    bytes = found?.segment.bytes ?? 0;
    chain = found?.segment.begun.chain ?? randomUUID();
    if (found !== undefined) tellFound(found.segment);
    await removeTemporary(disk, path);
  }

  /** Goes on with the file that was found. */
  async function goOn({ segment }: Found): Promise<Head> {
    const opened = await disk.openAtEnd(path);
    const opensAs = await opened.identity();
    if (opensAs.size !== segment.bytes) {
      // What was read is not what is open: it is read again.
      chain = undefined;
      await opened.close();
      throw new Error("the record was changed while it was opened");
    }
    try {
      await makeDurable(disk, opened, path);
    } catch (error) {
      await opened.close().catch(() => undefined);
      throw error;
    }
    identity = opensAs;
    current = opened;
    return segment.last;
  }

  return {
    prepare,
    isOpen: () => current !== undefined,
    due: () => (current !== undefined && bytes >= rotateAt ? "size" : undefined),
    async begin(reason: FileReason, last: Head, { at, open, givenUp }: BeginState) {
      await prepare();
      if (chain === undefined) throw new TypeError("the record was not read");
      let why = reason;
      let before = last;
      if (found !== undefined) {
        const { segment, begin } = found;
        for (const call of segment.open.all()) open.add(call);
        for (const completed of segment.open.completed()) open.addCompleted(completed);
        if (begin === undefined) {
          const head = await goOn(found);
          found = undefined;
          return head;
        }
        await makeFoundDurable(disk, found, path);
        why = begin;
        before = segment.last;
      }
      const begun = {
        chain,
        writer,
        file: number + 1,
        reason: why,
        givenUp,
        open: open.all(),
        completed: open.completed(),
      };
      const line = encodeLine(before, at, fileBegunEntry(begun, before));
      const temporary = temporaryBeside(path);
      let next: AppendedFile | undefined;
      try {
        next = await disk.create(temporary, mode);
        const begunAs = await writeFirst(next, line.text);
        await setAside(disk, path, { number, identity });
        await disk.rename(temporary, path);
        drop();
        current = next;
        identity = begunAs;
        isInterferenceTold = false;
        found = undefined;
      } catch (error) {
        rotateAt = bytes + retryBytes;
        // Nothing of it counts: the next try begins another.
        await next?.close().catch(() => undefined);
        await disk.remove(temporary).catch(() => undefined);
        throw error;
      }
      bytes = Buffer.byteLength(line.text);
      number += 1;
      rotateAt = options.mostBytes + bytes;
      folderDue = true;
      await disk.syncFolder(path).then(
        () => {
          folderDue = false;
        },
        // Told by the first sync, before which nothing counts.
        () => undefined,
      );
      return line.head;
    },
    async append(text) {
      if (current === undefined) throw new TypeError("no file of the record is open");
      const added = Buffer.from(text);
      appending = true;
      try {
        await current.append(added);
        bytes += added.length;
      } finally {
        appending = false;
      }
    },
    async sync() {
      if (current === undefined) throw new TypeError("no file of the record is open");
      await current.sync();
      if (!folderDue) return;
      await disk.syncFolder(path);
      folderDue = false;
    },
    drop,
    file: () => number,
    async findInterference() {
      if (current === undefined || identity === undefined || isInterferenceTold) return undefined;
      const before = identity;
      const known = bytes;
      let there: FileLook | undefined;
      try {
        there = await disk.look(path);
      } catch {
        return undefined;
      }
      // A file was begun meanwhile.
      if (current === undefined || identity !== before) return undefined;
      const grown = !appending && bytes === known && (there?.size ?? 0) > known;
      const what = interference(there, before, known, grown);
      isInterferenceTold = what !== undefined;
      return what;
    },
    async close() {
      const last = current;
      current = undefined;
      await last?.close();
      const held = lock;
      lock = undefined;
      await held?.release();
    },
  };
}

async function writeFirst(next: AppendedFile, text: string): Promise<FileIdentity> {
  await next.append(Buffer.from(text));
  await next.sync();
  return next.identity();
}

/** What a process that was killed in the middle of a rotation left. */
async function removeTemporary(disk: Disk, path: string): Promise<void> {
  for (const name of await disk.namesBeside(path))
    if (isTemporaryOf(path, name)) await disk.remove(join(dirname(path), name));
}

/** What a process that was killed has written last may be in memory only: it counts, and is named, once it is on the disk. */
async function makeDurable(disk: Disk, file: AppendedFile, path: string): Promise<void> {
  await file.sync();
  await disk.syncFolder(path);
}

/** The same of a file that is only followed by another. */
async function makeFoundDurable(disk: Disk, { segment }: Found, path: string): Promise<void> {
  const file = await disk.openAtEnd(segment.path);
  try {
    await makeDurable(disk, file, path);
  } finally {
    await file.close();
  }
}

/** The file of the record that was written last: its number, and what it was when it was opened, if it was. */
interface LastFile {
  readonly number: number;
  readonly identity: FileIdentity | undefined;
}

/** Frees the path for the next file. Whatever stands there is kept under another name. */
async function setAside(disk: Disk, path: string, { number, identity }: LastFile): Promise<void> {
  const there = await disk.look(path);
  if (there === undefined || (there.size === 0 && there.kind === "file")) return;
  const isOurs = identity === undefined || isSameFile(there, identity);
  const wanted = isOurs ? asidePath(path, number) : `${path}.foreign`;
  for (let tries = 0; ; tries += 1) {
    const second = tries === 0 ? wanted : `${wanted}-${tries}`;
    try {
      await disk.link(path, second);
      return;
    } catch (error) {
      const code = systemCode(error);
      if (code === "EEXIST") {
        const standing = await disk.look(second);
        // A crash between link and rename has left it.
        if (standing !== undefined && isSameFile(standing, there)) return;
      } else if (noLinks.has(code ?? "")) {
        await disk.rename(path, second);
        return;
      } else throw error;
    }
  }
}

/** What file systems without hard links say. */
const noLinks: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

function interference(
  there: FileLook | undefined,
  ours: FileIdentity,
  bytes: number,
  grown: boolean,
): string | undefined {
  if (there === undefined) return "it was removed or renamed";
  if (!isSameFile(there, ours)) return "something else stands in its place";
  if (there.size < bytes) return "it was cut";
  return grown ? "something was added to it" : undefined;
}

/** A disk that is full, fails or does not answer is told as such, and not as a lock that can't be had. */
async function takeLock(path: string, lock: Pick<RenewalLock, "acquire">, waitMs: number): Promise<HeldLock> {
  try {
    return await lock.acquire({ waitMs });
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== "system-refused") throw error;
    const { cause, message } = error;
    if (isPassing(cause)) throw cause;
    if (systemCode(cause) !== undefined) throw refusedPath(path, cause);
    throw new CommandError("configuration", `PRESTO_AUDIT: ${message}`, error);
  }
}

function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.device === other.device && one.inode === other.inode;
}
