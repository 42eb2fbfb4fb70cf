import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { createLogDestination } from "../../../src/observe/log.ts";
import type { LogStream } from "../../../src/observe/standard-output.ts";
import { createHandClock } from "../../support/hand-clock.ts";

/** A stream whose reader reads when the test says so. */
function slowStream() {
  const taken: string[] = [];
  const waiting: { text: string; done: (error?: Error | null) => void }[] = [];
  const stream: LogStream = {
    write: (text, done) => waiting.push({ text, done }),
    get writableLength() {
      return waiting.reduce((sum, { text }) => sum + text.length, 0);
    },
    on: () => stream,
  };
  const end = (error?: Error): void => {
    for (const { text, done } of waiting.splice(0)) {
      if (error === undefined) taken.push(text);
      done(error);
    }
  };
  return { stream, taken, waiting, read: () => end(), fail: end };
}

function destinationOf(stream: LogStream) {
  const told: number[] = [];
  const clock = createHandClock();
  const destination = createLogDestination({ stream, clock, onLost: (lines) => told.push(lines) });
  return { destination, told, endOfBatch: () => clock.advance(0), later: () => clock.advance(60_000) };
}

describe("the log's destination", () => {
  it("writes all lines of one moment at once", async () => {
    const slow = slowStream();
    const { destination, endOfBatch } = destinationOf(slow.stream);
    destination.write("a\n");
    destination.write("b\n");
    expect(slow.waiting).toEqual([]);
    await endOfBatch();
    destination.write("c\n");
    await endOfBatch();
    expect(slow.waiting.map(({ text }) => text)).toEqual(["a\nb\n", "c\n"]);
  });

  it("keeps at most 1 MiB for a reader that does not read, drops and counts the rest, and tells when it reads again", async () => {
    const slow = slowStream();
    const { destination, told, endOfBatch } = destinationOf(slow.stream);
    const line = `${"x".repeat(1023)}\n`;
    for (let turn = 0; turn < 30; turn++) {
      for (let i = 0; i < 100; i++) destination.write(line);
      await endOfBatch();
    }
    expect(slow.stream.writableLength).toBe(1024 * 1024);
    expect(destination.lost()).toBe(3000 - 1024);
    expect(told).toEqual([]);

    slow.read();
    expect(told).toEqual([3000 - 1024]);
    destination.write("after\n");
    await endOfBatch();
    slow.read();
    expect(slow.taken.join("").endsWith(`${line}after\n`)).toBe(true);
    expect(told).toHaveLength(1);
  });

  it("counts the lines of a write that failed, and goes on", async () => {
    const slow = slowStream();
    const { destination, endOfBatch } = destinationOf(slow.stream);
    destination.write("a\n");
    destination.write("b\n");
    await endOfBatch();
    slow.fail(new Error("EPIPE"));
    expect(destination.lost()).toBe(2);
    destination.write("c\n");
    await endOfBatch();
    slow.read();
    expect(slow.taken).toEqual(["c\n"]);
  });

  it("flushes: resolves once all lines were taken, not before", async () => {
    const slow = slowStream();
    const { destination, endOfBatch } = destinationOf(slow.stream);
    destination.write("a\n");
    let flushed = false;
    const flushing = destination.flush(60_000).then(() => (flushed = true));
    await endOfBatch();
    expect(flushed).toBe(false);
    slow.read();
    await flushing;
    expect(slow.taken).toEqual(["a\n", ""]);
  });

  it("gives up a flush when nobody reads", async () => {
    const slow = slowStream();
    const { destination, later } = destinationOf(slow.stream);
    destination.write("a\n");
    const flushing = destination.flush(60_000);
    await later();
    await flushing;
    expect(slow.taken).toEqual([]);
  });
});

const logModule = new URL("../../../src/observe/log.ts", import.meta.url).href;

function startLogging(body: string, stdout: "pipe" | number) {
  const script = `import { createLog } from ${JSON.stringify(logModule)};\nconst log = createLog({ level: "info" });\n${body}`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", stdout, "pipe"],
  });
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) text += chunk.toString();
  return text;
}

describe("a process whose standard output nobody reads", () => {
  it("goes on, bounds what it keeps, and ends", async () => {
    const child = startLogging(
      `let turns = 0;
       const turn = () => {
         for (let i = 0; i < 100; i++) log.write("info", "x".repeat(1000));
         if (++turns < 50) { setImmediate(turn); return; }
         log.flush(50).then(() => { process.stderr.write(String(log.lost())); process.exit(7); });
       };
       turn();`,
      "pipe",
    );
    const told = textOf(child.stderr);
    // Its standard output is left unread until it has ended.
    const [code] = await once(child, "exit");
    child.stdout?.resume();
    expect(code).toBe(7);
    expect(Number(await told)).toBeGreaterThan(3000);
  });

  it("goes on when the reader goes away", async () => {
    const child = startLogging(
      `process.stdin.resume();
       let turns = 0;
       const turn = () => {
         log.write("info", "x".repeat(1000));
         if (log.lost() > 20) process.exit(7);
         if (++turns > 10000) process.exit(8);
         setTimeout(turn, 1);
       };
       turn();`,
      "pipe",
    );
    child.stdout?.destroy();
    const told = textOf(child.stderr);
    const [code] = await once(child, "exit");
    expect(await told).toBe("");
    expect(code).toBe(7);
  });
});

describe("a process that ends by process.exit right after a line", () => {
  it.each(["pipe", "file"] as const)("does not lose it: %s", async (kind) => {
    const folder = mkdtempSync(join(tmpdir(), "log-"));
    const path = join(folder, "out");
    const file = kind === "file" ? openSync(path, "w") : undefined;
    const child = startLogging(`log.write("error", "the last words"); process.exit(3);`, file ?? "pipe");
    const printed = textOf(child.stdout);
    const [code] = await once(child, "close");
    const text = kind === "file" ? readFileSync(path, "utf8") : await printed;
    if (file !== undefined) closeSync(file);
    rmSync(folder, { recursive: true });
    expect(code).toBe(3);
    expect(JSON.parse(text)).toMatchObject({ msg: "the last words", level: "error" });
  });
});
