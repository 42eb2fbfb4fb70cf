import { dirname } from "node:path";

import { systemCode } from "../errors.ts";
import { readBounded } from "../files/read-bounded.ts";
import type { BoundedRead } from "../files/read-bounded.ts";
import { formatMode } from "./secret-source.ts";
import { StoreError } from "./token-store.ts";

/** Bytes. A sealed record is a few hundred, plus four thirds of the token. */
export const maxRecordBytes = 1024 * 1024;

/**
 * The sealed line that stands in a record's file, or undefined where there is none. Only a
 * file that is this user's alone is taken: what others may write, or have read, is not to be
 * trusted. `where` names it at the start of a message. Throws `StoreError` `unreadable` or `damaged`.
 */
export async function readRecordFile(path: string, where: string): Promise<string | undefined> {
  const read = await readOwn(path, where);
  switch (read.kind) {
    case "absent":
      return undefined;
    case "link":
      throw new StoreError(
        "unreadable",
        `${where} is a symbolic link, which a write would replace. Name the file itself.`,
      );
    case "not-a-file":
      throw new StoreError(
        "unreadable",
        `${where} is not a regular file. Name a file, or a path where none is yet.`,
      );
    case "too-large":
      throw new StoreError(
        "damaged",
        `${where} is larger than ${maxRecordBytes} bytes, so it is not one. It was left as it is. Name another file.`,
      );
    case "content":
      refuseForeign(path, where, read.owner, read.mode);
      return read.bytes.toString("latin1");
  }
}

function refuseForeign(path: string, where: string, owner: number, mode: number): void {
  const user = process.geteuid?.();
  if (owner !== user) {
    throw new StoreError(
      "unreadable",
      `${where} belongs to the user ${owner}, and this process runs as ${user}. Run it as that user, or, if the file is to be trusted: chown ${user} ${path}`,
    );
  }
  if ((mode & ~0o600) !== 0) {
    throw new StoreError(
      "unreadable",
      `${where} has the mode ${formatMode(mode)}, which is wider than 0600. Find out who has read it, then run: chmod 0600 ${path}`,
    );
  }
}

async function readOwn(path: string, where: string): Promise<BoundedRead> {
  try {
    return await readBounded(path, { maxBytes: maxRecordBytes, followLink: false });
  } catch (error) {
    throw refusedBySystem(path, where, "read", error);
  }
}

/** The system would not let the record be read or written: which path, why, and what to look at. */
export function refusedBySystem(
  path: string,
  where: string,
  verb: "read" | "written",
  error: unknown,
): StoreError {
  const reason = systemCode(error) ?? "an unknown error";
  return new StoreError(
    "unreadable",
    `${where} could not be ${verb} (${reason}). See that the user of this process may use the folder ${dirname(path)}, and that its disk is there, and neither full nor read-only.`,
    error,
  );
}
