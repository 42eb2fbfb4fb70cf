import { randomUUID } from "node:crypto";

import { fileBegunEntry, type Writer } from "./entries.ts";
import { encodeLine } from "./line.ts";
import type { Medium } from "./medium.ts";

/** Where lines go that are not kept in files: `process.stdout` has it. */
export interface LineStream {
  write(text: string, done: (error?: Error | null) => void): unknown;
}

/** Tells the record's lines from those of the log. */
export const streamMark = { record: true };

/**
 * The record as lines of standard output, marked `"record":true`, for whoever collects them. They have
 * a chain of their own for each process; a line counts once the system has taken it.
 */
export function createStreamMedium(stream: LineStream, writer: Writer): Medium {
  let isBegun = false;
  const chain = randomUUID();

  function write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      stream.write(text, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  }

  return {
    isOpen: () => isBegun,
    due: () => undefined,
    async begin(reason, last, { at, open, givenUp }) {
      // A stream has no files: after a failure a line like this says after which line it goes on, and what may have come through.
      const begun = { chain, writer, file: 1, reason, givenUp, open: open.all(), completed: [] };
      const line = encodeLine(last, at, { ...fileBegunEntry(begun, last), ...streamMark });
      await write(line.text);
      isBegun = true;
      return line.head;
    },
    append: (text) => write(text),
    async sync() {},
    drop() {
      isBegun = false;
    },
    file: () => 0,
    async close() {},
  };
}
