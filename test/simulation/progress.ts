import type { WriteStream } from "node:tty";

/** How far a run has got: a line that changes on a terminal, and a plain one now and then elsewhere. */
export interface Progress {
  show(line: string): void;
  end(): void;
}

/** Milliseconds between two plain lines. */
const plainEveryMs = 15_000;
const terminalEveryMs = 200;

export function createProgress(out: Pick<WriteStream, "write"> & { readonly isTTY?: boolean }): Progress {
  const isTerminal = out.isTTY === true;
  const everyMs = isTerminal ? terminalEveryMs : plainEveryMs;
  let shownAt = performance.now();
  return {
    show(line) {
      if (performance.now() - shownAt < everyMs) return;
      shownAt = performance.now();
      out.write(isTerminal ? `\r\u001b[K${line}` : `${line}\n`);
    },
    end() {
      if (isTerminal) out.write("\r\u001b[K");
    },
  };
}
