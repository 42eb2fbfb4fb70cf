import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";

import { readBounded } from "../files/read-bounded.ts";

/**
 * Who holds a lock, in a plain file of mode 0600 beside it: for people only. It may be
 * old (a holder was killed) or missing (it was not yet written), so nothing is decided by it.
 */
const holderLine = /^process (\d{1,10}) on ([A-Za-z0-9._-]{1,253}) since (\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)\n$/;

/** Writes this process as the holder. A failure is kept quiet: the lock holds without it. */
export function writeHolder(path: string, since: Date): void {
  try {
    rmSync(path, { force: true });
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, `process ${process.pid} on ${hostname()} since ${since.toISOString()}\n`);
    } finally {
      closeSync(file);
    }
  } catch {
    // A full disk, say: whoever waits is then told of "another process".
  }
}

/** Removes the file again. */
export function clearHolder(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What is left behind is replaced by the next holder.
  }
}

/** The subject of a sentence: `Process 12 on web-1 (since …)`, or `Another process` where nothing usable stands there. */
export async function describeHolder(path: string): Promise<string> {
  try {
    const read = await readBounded(path, { maxBytes: 512, followLink: false });
    const line = read.kind === "content" ? read.bytes.toString("latin1") : "";
    const [, pid, host, since] = holderLine.exec(line) ?? [];
    if (pid !== undefined) return `Process ${pid} on ${host} (since ${since})`;
  } catch {
    // Told as below.
  }
  return "Another process";
}
