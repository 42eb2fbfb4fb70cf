import type { Disk } from "./disk.ts";
import type { Writer } from "./entries.ts";
import { formatHead, type Head } from "./line.ts";
import { type Beginning, type Fault, readBeginning, readSegment, type Segment } from "./segment.ts";

/** A chain that was found whole. */
export interface VerifiedChain {
  readonly chain: string;
  readonly writer: Writer;
  /** Paths, in the order of the chain. */
  readonly files: readonly string[];
  readonly firstSeq: number;
  readonly last: Head;
  readonly lines: number;
  /** What is no fault, and what these files can't show: sentences. */
  readonly notes: readonly string[];
}

export type Verified =
  | { readonly ok: true; readonly chains: readonly VerifiedChain[] }
  | { readonly ok: false; readonly fault: Fault };

/**
 * Checks files of the record, given in any order: each line, and how the files go on from one another.
 * @param head of the chain, as it was kept elsewhere; without it a cut or rewritten end can't be seen
 * @throws the system's own error where a file can't be read
 */
export async function verifyRecord(
  disk: Disk,
  paths: readonly string[],
  head: Head | undefined,
): Promise<Verified> {
  const chains = new Map<string, Beginning[]>();
  for (const path of paths) {
    const beginning = await readBeginning(disk, path);
    if ("kind" in beginning) return { ok: false, fault: beginning };
    const { chain } = beginning.begun;
    chains.set(chain, [...(chains.get(chain) ?? []), beginning]);
  }
  const groups = [...chains.values()];
  const anchored =
    groups.length === 1 ? groups : groups.filter(([first]) => first?.begun.writer === "sidecar");
  const verified: VerifiedChain[] = [];
  let found = false;
  for (const group of groups) {
    const mayHaveHead = head !== undefined && anchored.includes(group);
    // Of several chains of sidecars only one has the head: which one, its line tells.
    const sole = mayHaveHead && anchored.length === 1;
    const chain = await verifyChain(disk, group, mayHaveHead ? { head, sole } : undefined);
    if ("kind" in chain) return { ok: false, fault: chain };
    found ||= chain.hasHead;
    verified.push(chain.verified);
  }
  if (head !== undefined && !found) return { ok: false, fault: headNotFound(head, paths) };
  return { ok: true, chains: verified };
}

interface Anchor {
  readonly head: Head;
  /** No other chain can have it. */
  readonly sole: boolean;
}

async function verifyChain(
  disk: Disk,
  group: readonly Beginning[],
  anchor: Anchor | undefined,
): Promise<Fault | { readonly verified: VerifiedChain; readonly hasHead: boolean }> {
  const sorted = withoutCopies(group.toSorted((one, other) => one.begun.file - other.begun.file));
  if ("kind" in sorted) return sorted;
  const notes: string[] = [];
  let lines = 0;
  let last: Segment | undefined;
  let first: Segment | undefined;
  let hasHead = false;
  for (const [index, beginning] of sorted.files.entries()) {
    const next = sorted.files[index + 1];
    const read = await readSegment(disk, beginning.path, {
      hashAt(seq) {
        if (anchor?.head.seq === seq && (anchor.sole || hasHead)) return anchor.head.hash;
        return next === undefined ? undefined : hashBefore(next, seq);
      },
    });
    if (!read.ok) return read.fault;
    const { segment } = read;
    first ??= segment;
    lines += segment.lines;
    const end = next === undefined ? undefined : faultOfEnd(segment, next);
    if (end !== undefined) return end;
    if (anchor !== undefined && holdsSeq(segment, anchor.head.seq, next))
      hasHead = anchor.sole || (await hasLine(disk, segment, anchor.head));
    if (segment.unfinished)
      notes.push(`${segment.path} ends with an unfinished line, as a crash leaves it; that is no fault.`);
    last = segment;
  }
  if (first === undefined || last === undefined) throw new TypeError("a chain without a file");
  if (anchor?.sole === true && last.last.seq < anchor.head.seq) return cutEnd(last, anchor.head);
  return {
    verified: {
      chain: first.begun.chain,
      writer: first.begun.writer,
      files: sorted.files.map(({ path }) => path),
      firstSeq: first.first.head.seq,
      last: last.last,
      lines,
      notes: [
        ...sorted.notes,
        ...beginningNote(first),
        ...notes,
        ...endNote(last, hasHead ? anchor : undefined),
      ],
    },
    hasHead,
  };
}

/** A file may be there under two names, as a crash between the two steps of a rotation leaves it, or as a copy that was taken earlier. */
function withoutCopies(
  sorted: readonly Beginning[],
): Fault | { readonly files: readonly Beginning[]; readonly notes: readonly string[] } {
  const files: Beginning[] = [];
  const notes: string[] = [];
  for (const each of sorted) {
    const before = files.at(-1);
    if (before?.begun.file !== each.begun.file) {
      files.push(each);
      continue;
    }
    if (before.first.head.hash !== each.first.head.hash) {
      return {
        kind: "misplaced",
        path: each.path,
        line: 1,
        seq: each.first.head.seq,
        sentence: `${before.path} and ${each.path} both say that they are file ${each.begun.file} of the same chain, and begin differently: one of them was altered.`,
      };
    }
    const [kept, copy] = each.bytes > before.bytes ? [each, before] : [before, each];
    files[files.length - 1] = kept;
    notes.push(`${copy.path} is a copy of ${kept.path}, or of its beginning, and was not looked at.`);
  }
  return { files, notes };
}

/** What the first line of the next file says of this one's lines. */
function hashBefore({ first, begun, isIntact }: Beginning, seq: number): string | undefined {
  if (!isIntact) return undefined;
  const due = first.head.seq - 1;
  if (seq === due) return first.prev;
  // Lines behind the last durable one do not count, but they must be those that were given up.
  return seq > due ? (begun.givenUp[seq - due - 1] ?? "none") : undefined;
}

/** Does this file reach to where the next one goes on? */
function faultOfEnd(segment: Segment, next: Beginning): Fault | undefined {
  const { path, last, begun } = segment;
  const due = next.first.head.seq - 1;
  if (next.begun.file !== begun.file + 1) {
    const from = begun.file + 1;
    const to = next.begun.file - 1;
    return {
      kind: "missing",
      path: next.path,
      line: 1,
      seq: last.seq + 1,
      sentence: `${from === to ? `File ${from} of the chain is` : `The files ${from} to ${to} of the chain are`} missing between ${path} and ${next.path}: the lines from seq ${last.seq + 1} to ${due} are not there.`,
    };
  }
  if (last.seq < due) {
    return {
      kind: "cut",
      path,
      line: segment.lines + 1,
      seq: last.seq + 1,
      sentence: `${path} was cut: it ends with seq ${last.seq}, and ${next.path} goes on after seq ${due}.`,
    };
  }
  if (segment.unfinished && next.begun.reason === "size") {
    return {
      kind: "altered",
      path,
      line: segment.lines + 1,
      seq: undefined,
      sentence: `Behind the last line of ${path} stands something that is no line: the file was whole when the next one was begun.`,
    };
  }
  return undefined;
}

function holdsSeq(segment: Segment, seq: number, next: Beginning | undefined): boolean {
  const end = next === undefined ? segment.last.seq : Math.min(segment.last.seq, next.first.head.seq - 1);
  return seq >= segment.first.head.seq && seq <= end;
}

/** Reads the file once more: only where there are several chains. */
async function hasLine(disk: Disk, segment: Segment, head: Head): Promise<boolean> {
  const read = await readSegment(disk, segment.path, {
    hashAt: (seq) => (seq === head.seq ? head.hash : undefined),
  });
  return read.ok;
}

function cutEnd({ path, last, lines }: Segment, head: Head): Fault {
  return {
    kind: "cut",
    path,
    line: lines + 1,
    seq: last.seq + 1,
    sentence: `${path} was cut, or a newer file is missing: it ends with seq ${last.seq}, and the head that was given is of seq ${head.seq}.`,
  };
}

function headNotFound(head: Head, paths: readonly string[]): Fault {
  return {
    kind: "missing",
    path: paths[0] ?? "",
    line: 0,
    seq: head.seq,
    sentence: `No chain in these files has the head ${formatHead(head)}: the files that hold it are missing, or were altered.`,
  };
}

function beginningNote({ first, begun, path }: Segment): string[] {
  if (begun.file === 1) return [];
  return [
    `${path} is file ${begun.file} of its chain: what came before seq ${first.head.seq} is not among these files.`,
  ];
}

function endNote({ last }: Segment, anchor: Anchor | undefined): string[] {
  if (anchor === undefined) {
    return [
      "Without the head that was kept elsewhere (--head SEQ:HASH, from a log line or the metric) nobody can see whether the end was cut off or written anew.",
    ];
  }
  if (anchor.head.seq === last.seq) return [];
  return [
    `The head that was given proves the lines up to seq ${anchor.head.seq}; whether lines behind seq ${last.seq} were cut off, or those behind seq ${anchor.head.seq} written anew, it can't show.`,
  ];
}
