import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Head } from "../../../src/audit/line.ts";
import { type Verified, verifyRecord } from "../../../src/audit/verify.ts";
import { auditPath, openAuditBench } from "../../support/audit-bench.ts";
import { createMemoryDisk, type MemoryDisk, systemError } from "../../support/memory-disk.ts";
import { until } from "../../support/until.ts";

/** The files of a record, by path, and the head of its chain. */
interface Written {
  readonly files: ReadonlyMap<string, string>;
  readonly head: Head;
}

/** Several files of some lines each. */
async function write(calls: number, mostBytes: number): Promise<Written> {
  const disk = createMemoryDisk();
  const { record, announce, end } = await openAuditBench({ disk, mostBytes });
  for (let call = 0; call < calls; call += 1) {
    await announce(String(call));
    if (call % 3 !== 0) end(String(call), call % 5 === 0);
  }
  await record.close(1_000);
  return {
    files: new Map(disk.paths().map((path) => [path, disk.text(path)])),
    head: record.report().head,
  };
}

/** The same, with syncs that failed, a disk that was full, and lives that ended with an unfinished line. */
async function writeThroughFailures(calls: number, mostBytes: number): Promise<Written> {
  const disk = createMemoryDisk();
  let head: Head | undefined;
  for (let life = 0; life < 2; life += 1) {
    const { record, announce, end } = await openAuditBench({ disk, mostBytes });
    for (let call = 0; call < calls; call += 1) {
      disk.faults.sync = call === 3 ? once(disk, () => systemError("EIO")) : undefined;
      disk.faults.append = call === 6 ? full(disk) : undefined;
      const name = `${life}-${call}`;
      if ((await announce(name)) === undefined && call % 3 !== 0) end(name, call % 5 === 0);
      await until(() => record.report().available || undefined, { withinMs: 20_000, what: "a record" });
    }
    await record.close(1_000);
    ({ head } = record.report());
    if (life < 1) disk.put(auditPath, `${disk.text(auditPath)}{"seq":9,"prev`);
  }
  if (head === undefined) throw new Error("nothing was written");
  return { files: new Map(disk.paths().map((path) => [path, disk.text(path)])), head };
}

function once<T>(disk: MemoryDisk, fault: () => T): () => T {
  return () => {
    disk.faults.sync = undefined;
    return fault();
  };
}

function full(disk: MemoryDisk): () => number {
  return () => {
    disk.faults.append = undefined;
    return 40;
  };
}

/** The number of each whole line in the chain that counts: behind the last durable line of a file that failed stand some that do not. */
function countingLines(
  files: ReadonlyMap<string, string>,
): { readonly path: string; readonly index: number }[] {
  const parsed = [...files].map(([path, text]) => ({
    path,
    seqs: text
      .split("\n")
      .slice(0, -1)
      .map((line) => Number(JSON.parse(line).seq)),
  }));
  const firsts = parsed.map(({ seqs }) => seqs[0] ?? 0).toSorted((one, other) => one - other);
  return parsed.flatMap(({ path, seqs }) => {
    const next = firsts.find((first) => first > (seqs[0] ?? 0)) ?? Number.POSITIVE_INFINITY;
    return seqs.flatMap((seq, index) => (seq < next ? [{ path, index }] : []));
  });
}

function diskOf(files: ReadonlyMap<string, string | Buffer>): MemoryDisk {
  const disk = createMemoryDisk();
  for (const [path, text] of files) disk.put(path, text);
  return disk;
}

function verify(files: ReadonlyMap<string, string | Buffer>, head: Head | undefined): Promise<Verified> {
  const disk = diskOf(files);
  return verifyRecord(disk, disk.paths(), head);
}

let written: Written;
/** Where each line stands: its path, and its index there. */
let places: { readonly path: string; readonly index: number }[];

beforeAll(async () => {
  written = await write(40, 3_000);
  places = countingLines(written.files);
});

/** The files with the lines of one of them changed. */
function withLines(path: string, change: (lines: string[]) => string[]): Map<string, string> {
  const lines = (written.files.get(path) ?? "").split("\n").slice(0, -1);
  return new Map([
    ...written.files,
    [
      path,
      change(lines)
        .map((line) => `${line}\n`)
        .join(""),
    ],
  ]);
}

const anyPlace = fc.nat().map((n) => places[n % places.length] ?? { path: "", index: 0 });

describe("a record whose head is known", () => {
  it("is whole as it was written, over several files", async () => {
    expect(written.files.size).toBeGreaterThan(3);
    const verified = await verify(written.files, written.head);
    expect(verified).toMatchObject({ ok: true, chains: [{ last: written.head, notes: [], firstSeq: 1 }] });
  });

  it("shows any single line that was altered, by its place", () =>
    fc.assert(
      fc.asyncProperty(anyPlace, fc.nat(), fc.integer({ min: 1, max: 127 }), async (place, at, by) => {
        const { path, index } = place;
        const text = written.files.get(path) ?? "";
        const before = text.split("\n").slice(0, index).join("\n").length + (index === 0 ? 0 : 1);
        const line = text.split("\n")[index] ?? "";
        const bytes = Buffer.from(text);
        const offset = before + (at % line.length);
        bytes[offset] = ((bytes[offset] ?? 0) + by) % 128;
        // A line end in the middle makes two of one: the same place, told in other words.
        const verified = await verify(
          new Map<string, string | Buffer>([...written.files, [path, bytes]]),
          written.head,
        );
        expect(verified.ok).toBe(false);
        // The first line says which chain the file is of.
        if (verified.ok || index === 0) return;
        expect(verified.fault.path).toBe(path);
        expect(verified.fault.line).toBe(index + 1);
      }),
      { numRuns: 1_000 },
    ));

  it("shows any single line that was removed", () =>
    fc.assert(
      fc.asyncProperty(anyPlace, async ({ path, index }) => {
        const verified = await verify(
          withLines(path, (lines) => lines.toSpliced(index, 1)),
          written.head,
        );
        expect(verified.ok).toBe(false);
      }),
      { numRuns: 300 },
    ));

  it("shows any line that stands twice, or was put in", () =>
    fc.assert(
      fc.asyncProperty(anyPlace, anyPlace, async (from, to) => {
        const line = (written.files.get(from.path) ?? "").split("\n")[from.index] ?? "";
        const verified = await verify(
          withLines(to.path, (lines) => lines.toSpliced(to.index, 0, line)),
          written.head,
        );
        expect(verified.ok).toBe(false);
      }),
      { numRuns: 300 },
    ));

  it("shows any two lines that were swapped", () =>
    fc.assert(
      fc.asyncProperty(anyPlace, fc.nat(), async ({ path, index }, step) => {
        const count = (written.files.get(path) ?? "").split("\n").length - 1;
        const other = (index + 1 + (step % (count - 1))) % count;
        const verified = await verify(
          withLines(path, (lines) =>
            lines.map((line, at) => (at === index ? lines[other] : at === other ? lines[index] : line) ?? ""),
          ),
          written.head,
        );
        expect(verified.ok).toBe(false);
      }),
      { numRuns: 300 },
    ));

  it("shows wherever a file was cut", () =>
    fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (file, at) => {
        const [path, text] = [...written.files][file % written.files.size] ?? ["", ""];
        const cut = text.slice(0, at % text.length);
        const verified = await verify(new Map([...written.files, [path, cut]]), written.head);
        expect(verified.ok).toBe(false);
      }),
      { numRuns: 300 },
    ));

  it("shows a file that is missing, but for the oldest ones, and two files that were swapped", async () => {
    const paths = [...written.files.keys()];
    const [newest, oldest, second, third] = paths;
    for (const missing of [newest, second, third]) {
      const files = new Map([...written.files].filter(([path]) => path !== missing));
      expect((await verify(files, written.head)).ok).toBe(false);
    }
    const shipped = await verify(
      new Map([...written.files].filter(([path]) => path !== oldest)),
      written.head,
    );
    expect(shipped).toMatchObject({ ok: true });
    expect(shipped.ok && shipped.chains[0]?.notes[0]).toMatch(/what came before seq/);
    // Names tell nothing: the order is that of the first lines.
    const swapped = new Map(written.files);
    swapped.set(second ?? "", written.files.get(third ?? "") ?? "");
    swapped.set(third ?? "", written.files.get(second ?? "") ?? "");
    expect((await verify(swapped, written.head)).ok).toBe(true);
  });

  it("shows an end that was written anew after the head was kept", async () => {
    const early = await write(3, 100_000);
    // Another chain, whose lines fit each other as well.
    const later = await write(3, 100_000);
    expect((await verify(later.files, later.head)).ok).toBe(true);
    expect((await verify(later.files, early.head)).ok).toBe(false);
  });
});

describe("a record that went through failures and crashes, whose head is known", () => {
  beforeAll(async () => {
    written = await writeThroughFailures(14, 1_500);
    places = countingLines(written.files);
  });
  afterAll(async () => {
    written = await write(40, 3_000);
    places = countingLines(written.files);
  });

  it("is whole as it was written", async () => {
    const texts = [...written.files.values()];
    const reasons = new Set(texts.map((text) => JSON.parse(text.split("\n")[0] ?? "").reason));
    expect(reasons).toEqual(new Set(["first", "size", "torn", "failed"]));
    expect(texts.some((text) => !text.endsWith("\n"))).toBe(true);
    expect(await verify(written.files, written.head)).toMatchObject({ ok: true });
  });

  it("shows any single line that was altered, also one that does not count", () =>
    fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(), async (file, at, by) => {
        const [path, text] = [...written.files][file % written.files.size] ?? ["", ""];
        const bytes = Buffer.from(text);
        // Not in an unfinished line at the end, which counts for nothing.
        const offset = at % (text.lastIndexOf("\n") + 1);
        // Two lines in one, or the last one unfinished: that is what cutting is tried with.
        if (bytes[offset] === 0x0a) return;
        bytes[offset] = ((bytes[offset] ?? 0) + 1 + (by % 127)) % 128;
        const verified = await verify(
          new Map<string, string | Buffer>([...written.files, [path, bytes]]),
          written.head,
        );
        expect(verified.ok).toBe(false);
      }),
      { numRuns: 300 },
    ));

  it("shows any single line that was removed, any two that were swapped, and wherever a file was cut", () =>
    fc.assert(
      fc.asyncProperty(anyPlace, fc.nat(), fc.nat(), async ({ path, index }, step, at) => {
        const count = places.filter((place) => place.path === path).length;
        const other = (index + 1 + (step % Math.max(1, count - 1))) % count;
        const swap = (lines: string[]): string[] =>
          lines.map(
            (line, each) => (each === index ? lines[other] : each === other ? lines[index] : line) ?? "",
          );
        const lines = (written.files.get(path) ?? "").split("\n");
        const line = `${lines.slice(0, index).join("\n")}${index === 0 ? "" : "\n"}${lines[index] ?? ""}`;
        const changed = [
          withLines(path, (all) => all.toSpliced(index, 1)),
          ...(count > 1 ? [withLines(path, swap)] : []),
          // Somewhere in that line.
          new Map([
            ...written.files,
            [path, line.slice(0, line.length - (at % (lines[index] ?? "").length))],
          ]),
        ];
        for (const files of changed) expect((await verify(files, written.head)).ok).toBe(false);
      }),
      { numRuns: 100 },
    ));
});

describe("a record whose head is not known", () => {
  it("may have lost its end, and that is said", async () => {
    const cut = withLines(auditPath, (lines) => lines.slice(0, -1));
    const verified = await verify(cut, undefined);
    expect(verified.ok && verified.chains[0]?.notes.join()).toMatch(/nobody can see whether the end was cut/);
    expect(await verify(cut, written.head)).toMatchObject({
      ok: false,
      fault: { kind: "cut", path: auditPath, seq: written.head.seq },
    });
  });

  it("ends with an unfinished line after a crash, which is no fault", async () => {
    const torn = new Map([...written.files, [auditPath, `${written.files.get(auditPath)}{"seq":12,"pr`]]);
    const verified = await verify(torn, written.head);
    expect(verified.ok && verified.chains[0]?.notes.join()).toMatch(/unfinished line/);
  });

  it("is told from what is none", async () => {
    for (const text of ["", "hello\n", '{"seq":1}\n', "\u0000\u0000\n"]) {
      expect(await verify(new Map([["/x", text]]), undefined)).toMatchObject({
        ok: false,
        fault: { kind: "not-a-record" },
      });
    }
  });
});

describe("files of several chains", () => {
  it("are checked each by itself; the head is the sidecar's", async () => {
    const other = await write(5, 1_500);
    const files = new Map([
      ...written.files,
      ...[...other.files].map(([path, text]) => [`${path}.commands`, text] as const),
    ]);
    expect(await verify(files, written.head)).toMatchObject({ ok: true, chains: [{}, {}] });
    const altered = new Map(files);
    altered.set(
      `${auditPath}.commands`,
      (files.get(`${auditPath}.commands`) ?? "").replace("wallet", "wallot"),
    );
    expect((await verify(altered, written.head)).ok).toBe(false);
  });

  it("may hold a file under two names, as a crash in a rotation leaves it", async () => {
    const copy = new Map([...written.files, [`${auditPath}.copy`, written.files.get(auditPath) ?? ""]]);
    expect((await verify(copy, written.head)).ok).toBe(true);
    const prefix = (written.files.get(auditPath) ?? "").split("\n").slice(0, 2).join("\n");
    const early = new Map([...written.files, [`${auditPath}.copy`, `${prefix}\n`]]);
    expect((await verify(early, written.head)).ok).toBe(true);
  });
});
