import type { Disk } from "./disk.ts";
import { type FileBegun, OpenCalls, readFileBegun } from "./entries.ts";
import { createLineSplitter, type FoundLine, type Head, readLine } from "./line.ts";

// One file of the record, read from its first line to its last.

/** The first thing that is wrong with a record. */
export interface Fault {
  readonly kind: "not-a-record" | "altered" | "missing" | "misplaced" | "cut";
  readonly path: string;
  /** Number of the line in its file, from 1; 0 where no line is meant. */
  readonly line: number;
  /** Number in the chain of the line that is meant; undefined where it can't be known. */
  readonly seq: number | undefined;
  /** For people, with the path. */
  readonly sentence: string;
}

export interface Segment {
  readonly path: string;
  readonly begun: FileBegun;
  /** The file's first line. */
  readonly first: FoundLine;
  /** Its last whole line that fits. */
  readonly last: Head;
  readonly lines: number;
  /** Bytes of all whole lines. */
  readonly bytes: number;
  /** Behind the last line stands one without an end, as a crash leaves it. */
  readonly unfinished: boolean;
  /** Calls that are open by its lines, and whose money has moved. */
  readonly open: OpenCalls;
}

/** What is known of a file from elsewhere. */
export interface Expected {
  /** Which hash the line with this number has to have. */
  hashAt?(seq: number): string | undefined;
}

/** The lines are read, and tied to each other; the first fault ends it. */
export type SegmentRead =
  | { readonly ok: true; readonly segment: Segment }
  | { readonly ok: false; readonly fault: Fault };

/** As many as are remembered of those whose money has moved (money/completed.ts). */
const mostCompleted = 100_000;

/** @throws the system's own error, or `StalledError` */
export async function readSegment(disk: Disk, path: string, expected: Expected = {}): Promise<SegmentRead> {
  const lines = new ChainReader(path, expected, mostCompleted);
  const splitter = createLineSplitter();
  let bytes = 0;
  await disk.read(path, (piece) => {
    for (const line of splitter.push(piece)) {
      bytes += line.length + 1;
      lines.add(line);
    }
  });
  return lines.end(bytes, splitter.rest().length > 0);
}

/** A line, and where it stands. */
interface Placed {
  readonly number: number;
  readonly found: FoundLine;
}

class ChainReader {
  readonly #path: string;
  readonly #expected: Expected;
  readonly #open: OpenCalls;
  #fault: Fault | undefined;
  #begun: FileBegun | undefined;
  #first: FoundLine | undefined;
  #last: Placed | undefined;
  /** The last line does not fit the one before it: the next one tells which of the two was altered. */
  #doubted: { readonly before: Placed } | undefined;
  #lines = 0;

  constructor(path: string, expected: Expected, mostCompleted: number) {
    this.#path = path;
    this.#expected = expected;
    this.#open = new OpenCalls(mostCompleted);
  }

  add(bytes: Buffer): void {
    if (this.#fault !== undefined) return;
    this.#lines += 1;
    const number = this.#lines;
    const found = readLine(bytes);
    if (found === undefined) {
      this.#unreadable(number);
      return;
    }
    const placed = { number, found };
    if (this.#last === undefined) this.#begin(placed);
    else this.#follow(this.#last, placed);
    this.#last = placed;
  }

  end(bytes: number, unfinished: boolean): SegmentRead {
    if (this.#fault === undefined && this.#doubted !== undefined && this.#last !== undefined)
      this.#accuse(this.#isAsExpected(this.#last) ? this.#doubted.before : this.#last);
    if (this.#fault !== undefined) return { ok: false, fault: this.#fault };
    if (this.#begun === undefined || this.#first === undefined || this.#last === undefined)
      return { ok: false, fault: notARecord(this.#path) };
    return {
      ok: true,
      segment: {
        path: this.#path,
        begun: this.#begun,
        first: this.#first,
        last: this.#last.found.head,
        lines: this.#lines,
        bytes,
        unfinished,
        open: this.#open,
      },
    };
  }

  #begin(placed: Placed): void {
    const { entry } = placed.found;
    this.#begun = readFileBegun(entry);
    if (this.#begun === undefined) {
      this.#fault = notARecord(this.#path);
      return;
    }
    this.#first = placed.found;
    for (const call of this.#begun.open) this.#open.add(call);
    for (const completed of this.#begun.completed) this.#open.addCompleted(completed);
    this.#compare(placed);
  }

  #follow(last: Placed, placed: Placed): void {
    const { head, prev, entry } = placed.found;
    const follows = prev === last.found.head.hash;
    if (this.#doubted !== undefined) {
      this.#accuse(follows ? this.#doubted.before : last);
      return;
    }
    const due = last.found.head.seq + 1;
    if (head.seq === due) {
      if (!follows) this.#doubted = { before: last };
      else this.#compare(placed);
    } else if (follows) this.#accuse(placed);
    else if (head.seq > due) this.#gap(placed, due, head.seq - 1);
    else this.#misplaced(placed);
    this.#open.apply(entry, textOf(entry["at"]));
  }

  #compare(placed: Placed): void {
    if (!this.#isAsExpected(placed)) this.#accuse(placed);
  }

  #isAsExpected({ found }: Placed): boolean {
    const { seq, hash } = found.head;
    return (this.#expected.hashAt?.(seq) ?? hash) === hash;
  }

  #accuse({ number, found }: Placed): void {
    const { seq } = found.head;
    this.#fault = {
      kind: "altered",
      path: this.#path,
      line: number,
      seq,
      sentence: `Line ${number} of ${this.#path} (seq ${seq}) was altered: it is not the line whose hash was kept.`,
    };
  }

  #unreadable(number: number): void {
    if (number === 1) {
      this.#fault = notARecord(this.#path);
      return;
    }
    this.#fault = {
      kind: "altered",
      path: this.#path,
      line: number,
      seq: this.#last === undefined ? undefined : this.#last.found.head.seq + 1,
      sentence: `Line ${number} of ${this.#path} was altered: it is no line of a record any more.`,
    };
  }

  #gap({ number }: Placed, from: number, to: number): void {
    this.#fault = {
      kind: "missing",
      path: this.#path,
      line: number,
      seq: from,
      sentence: `Before line ${number} of ${this.#path} ${from === to ? `the line with seq ${from} is` : `the lines with seq ${from} to ${to} are`} missing.`,
    };
  }

  #misplaced({ number, found }: Placed): void {
    this.#fault = {
      kind: "misplaced",
      path: this.#path,
      line: number,
      seq: found.head.seq,
      sentence: `Line ${number} of ${this.#path} (seq ${found.head.seq}) does not belong where it stands: a line with that number, or a later one, came before.`,
    };
  }
}

function notARecord(path: string): Fault {
  return {
    kind: "not-a-record",
    path,
    line: 1,
    seq: undefined,
    sentence: `${path} is no record of this program: its first line does not begin one.`,
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The beginning of a file: its first line, and whether the second says that it was not altered. */
export interface Beginning {
  readonly path: string;
  readonly begun: FileBegun;
  readonly first: FoundLine;
  readonly bytes: number;
  /** False where the second line was made after another first one. */
  readonly isIntact: boolean;
}

/** So far the first two lines are looked for. They have a few hundred bytes, or a few thousand with a configuration. */
const mostFirstBytes = 16 * 1024 * 1024;

/** @returns the fault where the file is no record */
export async function readBeginning(disk: Disk, path: string): Promise<Beginning | Fault> {
  // A pipe or a device has no end.
  if ((await disk.look(path))?.kind === "other") return notARecord(path);
  const splitter = createLineSplitter();
  const lines: Buffer[] = [];
  let bytes = 0;
  await disk.read(path, (piece) => {
    bytes += piece.length;
    // What has no line in so much is none of ours, and is not kept in memory.
    if (lines.length < 2 && bytes <= mostFirstBytes) lines.push(...splitter.push(piece).slice(0, 2));
  });
  const [firstLine, secondLine] = lines;
  const first = firstLine === undefined ? undefined : readLine(firstLine);
  const begun = first === undefined ? undefined : readFileBegun(first.entry);
  if (first === undefined || begun === undefined) return notARecord(path);
  const second = secondLine === undefined ? undefined : readLine(secondLine);
  return { path, begun, first, bytes, isIntact: second === undefined || second.prev === first.head.hash };
}
