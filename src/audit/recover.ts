import { basename, dirname, join } from "node:path";

import { CommandError, systemCode } from "../errors.ts";
import { StalledError } from "../files/stalls.ts";
import type { Disk, FileLook } from "./disk.ts";
import type { FileReason } from "./entries.ts";
import { readSegment, type Segment } from "./segment.ts";

/** The newest file of a record, as a start finds it. */
export interface Found {
  readonly segment: Segment;
  /** Undefined: it can be gone on with. Else why a new one has to be begun. */
  readonly begin: FileReason | undefined;
}

/**
 * Reads the newest file of the record, which is enough to go on. Changes nothing.
 * @param mode the widest that the file may have
 * @returns undefined where there is no record yet
 * @throws CommandError `configuration` for what is no record, is somebody else's, or was altered
 * @throws the system's own error, or `StalledError`, where the disk can't be read
 */
export async function findNewest(disk: Disk, path: string, mode: number): Promise<Found | undefined> {
  const look = await disk.look(path);
  // An empty one somebody has prepared, or emptied: the chain goes on, if there is one.
  if (look === undefined || (look.size === 0 && look.kind === "file")) {
    if (look !== undefined) refuseForeign(path, look, mode);
    const before = await newestSetAside(disk, path);
    return before === undefined ? undefined : { segment: await readOrRefuse(disk, before), begin: "moved" };
  }
  refuseForeign(path, look, mode);
  const segment = await readOrRefuse(disk, path);
  return { segment, begin: segment.unfinished ? "torn" : undefined };
}

/** @throws CommandError `configuration` for what stands at the path, if that can't be the record */
export async function refuseStranger(disk: Disk, path: string, mode: number): Promise<void> {
  const look = await disk.look(path);
  if (look !== undefined) refuseForeign(path, look, mode);
}

function refuseForeign(path: string, look: FileLook, mode: number): void {
  const user = process.geteuid?.();
  const refuse = (wrong: string): never => {
    throw new CommandError("configuration", `PRESTO_AUDIT: ${path} ${wrong} Nothing was written.`);
  };
  if (look.kind === "link")
    refuse("is a symbolic link, which could lead the record anywhere. Name the file itself.");
  if (look.kind === "other") refuse("is not a regular file. Name a file, or a path where none is yet.");
  if (look.owner !== user) {
    refuse(
      `belongs to the user ${look.owner}, and this process runs as ${user ?? "another"}. Run it as that user, or name another file.`,
    );
  }
  if ((look.mode & ~mode) !== 0) {
    refuse(
      `has the mode ${octal(look.mode)}, which is wider than ${octal(mode)}. Find out who has changed it, then run: chmod ${octal(mode)} ${path}`,
    );
  }
}

function octal(mode: number): string {
  return `0${mode.toString(8).padStart(3, "0")}`;
}

async function readOrRefuse(disk: Disk, path: string): Promise<Segment> {
  const read = await readSegment(disk, path);
  if (read.ok) return read.segment;
  const { kind, sentence } = read.fault;
  throw new CommandError(
    "configuration",
    kind === "not-a-record"
      ? `PRESTO_AUDIT: ${sentence} It was left as it is: name another path, or move that file away.`
      : `PRESTO_AUDIT: the record is broken, and nothing is added to it. ${sentence} Keep the file, find out who changed it, and move it away; a new chain then begins.`,
  );
}

/** Hidden, so that `PATH*` names the record's files alone. */
export function lockPathOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.lock`);
}

/** Where commands write, beside a sidecar. */
export function commandsPathOf(path: string): string {
  return `${path}.commands`;
}

/** A file that was set aside has its number behind the path. */
export function asidePath(path: string, file: number): string {
  return `${path}.${String(file).padStart(6, "0")}`;
}

async function newestSetAside(disk: Disk, path: string): Promise<string | undefined> {
  const prefix = `${basename(path)}.`;
  const names = (await disk.namesBeside(path)).filter(
    (name) => name.startsWith(prefix) && /^\d{6,}$/.test(name.slice(prefix.length)),
  );
  const newest = names.toSorted(
    (one, other) => Number(one.slice(prefix.length)) - Number(other.slice(prefix.length)),
  );
  const name = newest.at(-1);
  return name === undefined ? undefined : join(dirname(path), name);
}

/** What a disk says that is full, failing or away: it may be better later, and what to do until then PRESTO_AUDIT_FULL says. */
const passing: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "EIO",
  "EROFS",
  "ENFILE",
  "EMFILE",
  "ENOMEM",
  "EFBIG",
  "ENODEV",
  "ENXIO",
  "ESTALE",
  "ETIMEDOUT",
  "ENOTCONN",
  "EHOSTDOWN",
  "EUCLEAN",
]);

/** Is it the disk that is at fault, and not what was configured? */
export function isPassing(error: unknown): boolean {
  if (error instanceof StalledError) return true;
  const code = systemCode(error);
  return code !== undefined && passing.has(code);
}

/** What the system refuses for good: the path is wrong, or not ours. */
export function refusedPath(path: string, error: unknown): CommandError {
  const code = systemCode(error) ?? "unknown";
  const folder = dirname(path);
  const mend =
    code === "ENOENT" || code === "ENOTDIR"
      ? `Make the folder ${folder}, owned by the user of this process.`
      : `See that the user of this process may read and write the folder ${folder} and the file.`;
  return new CommandError(
    "configuration",
    `PRESTO_AUDIT: the record ${path} can't be used (${code}). ${mend}`,
    error,
  );
}
