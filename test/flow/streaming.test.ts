import { createHash } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually, loadOf, noLoad, scrape } from "../support/sidecar-load.ts";
import { confirmCall, queryCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;
let caller: RawCaller;

beforeEach(async () => {
  presto = await startRawPresto();
  await start();
});

afterEach(async () => {
  caller.close();
  await sidecar.close();
  await presto.close();
});

async function start(env: Record<string, string> = {}): Promise<void> {
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem, env });
  caller = await openRawCaller(sidecar);
}

async function restart(env: Record<string, string>): Promise<void> {
  caller.close();
  await sidecar.close();
  await start(env);
}

/** Bytes that differ everywhere, so that a piece that is lost, doubled or moved is seen. */
function noise(length: number): string {
  let text = "";
  for (let index = 0; text.length < length; index += 1)
    text += createHash("sha256").update(String(index)).digest("hex");
  return text.slice(0, length);
}

const mebibyte = 1024 * 1024;

describe("a reply of Presto's", () => {
  it.each([mebibyte - 1, mebibyte, mebibyte + 1, 5 * mebibyte])(
    "of %i bytes arrives byte for byte",
    async (length) => {
      const body = noise(length);
      presto.answer(({ socket }) => void socket.write(httpAnswer(200, body)));
      caller.send(queryCall("T1"));
      const [answer] = await caller.answers(1);
      expect(answer?.headers).toMatchObject({
        "content-length": String(length),
        "presto-outcome": "answered",
      });
      expect(answer?.body === body).toBe(true);
      await eventually(() => loadOf(sidecar)).toEqual(noLoad);
      // The connection is in order for what comes next.
      presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
      caller.send(queryCall("T2"));
      expect((await caller.answers(2))[1]?.body).toBe("{}");
    },
  );

  it("of up to 1 MiB is read whole before its head goes on", async () => {
    const waiting: WireRequest[] = [];
    presto.answer((request) => {
      waiting.push(request);
      request.socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${mebibyte}\r\n\r\n${"x".repeat(mebibyte - 1)}`,
      );
    });
    caller.send(queryCall("T1"));
    await eventually(async () => (await loadOf(sidecar)).buffered).toBe(mebibyte - 1);
    expect(caller.received()).toBe("");
    waiting[0]?.socket.write("x");
    expect((await caller.answers(1))[0]?.status).toBe(200);
  });

  it("of up to 1 MiB that is cut is unknown, never a torn 200", async () => {
    presto.answer(
      ({ socket }) =>
        void socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${mebibyte}\r\n\r\n${"x".repeat(mebibyte - 1)}`),
    );
    caller.send(queryCall("T1"));
    expect((await caller.answers(1))[0]).toMatchObject({
      status: 502,
      headers: { "presto-outcome": "unknown" },
    });
  });

  it("of more streams while it comes", async () => {
    const waiting: WireRequest[] = [];
    presto.answer((request) => {
      waiting.push(request);
      request.socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${3 * mebibyte}\r\n\r\n${"x".repeat(2 * mebibyte)}`,
      );
    });
    caller.send(queryCall("T1"));
    await eventually(() => caller.received().length).toBeGreaterThan(2 * mebibyte);
    waiting[0]?.socket.write("x".repeat(mebibyte));
    expect((await caller.answers(1))[0]?.body.length).toBe(3 * mebibyte);
  });

  it.each([
    ["closed", (request: WireRequest) => void request.socket.end()],
    ["destroyed", (request: WireRequest) => void request.socket.destroy()],
  ])(
    "that streams and is cut (%s) cuts the caller's connection, and the log does not blame the caller",
    async (_name, cut) => {
      const waiting: WireRequest[] = [];
      presto.answer((request) => {
        waiting.push(request);
        request.socket.write(
          `HTTP/1.1 200 OK\r\nContent-Length: ${3 * mebibyte}\r\n\r\n${"x".repeat(2 * mebibyte)}`,
        );
      });
      caller.send(queryCall("T1"));
      await eventually(() => caller.received().length).toBeGreaterThan(2 * mebibyte);
      for (const request of waiting) cut(request);
      await caller.ended();
      expect(caller.received().length).toBeLessThan(3 * mebibyte);
      await eventually(() => loadOf(sidecar)).toEqual(noLoad);
      await eventually(() => callLines(sidecar).length).toBe(1);
      expect(callLines(sidecar)[0]).not.toHaveProperty("caller_gone");
    },
  );

  it("that streams and is cut is not known to be whole: of a payment the log says so as an error, and the metrics count it so", async () => {
    const waiting: WireRequest[] = [];
    presto.answer((request) => {
      waiting.push(request);
      request.socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${3 * mebibyte}\r\n\r\n${"x".repeat(2 * mebibyte)}`,
      );
    });
    caller.send(confirmCall("T1"));
    await eventually(() => caller.received().length).toBeGreaterThan(2 * mebibyte);
    waiting[0]?.socket.destroy();
    await caller.ended();
    await eventually(() => callLines(sidecar)).toMatchObject([
      { level: "error", outcome: "unknown", status: 200, audit: true, sends: 1 },
    ]);
    expect(JSON.stringify(callLines(sidecar)[0])).toMatch(/"err"|"error"/);
    const metrics = await scrape(sidecar);
    const labels = { operation: "wallet.confirm", status: "200" };
    expect(metrics.value("presto_sidecar_calls_total", { ...labels, outcome: "unknown" })).toBe(1);
    expect(metrics.value("presto_sidecar_calls_total", { ...labels, outcome: "answered" })).toBe(0);
  });

  it("that streams in chunks and is cut has no last chunk", async () => {
    presto.answer(({ socket }) => {
      const size = 2 * mebibyte;
      socket.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${"x".repeat(size)}\r\n`,
      );
      socket.end();
    });
    caller.send(queryCall("T1"));
    await caller.ended();
    expect(caller.received()).toMatch(/^HTTP\/1\.1 200 [^]*transfer-encoding: chunked/i);
    expect(caller.received().endsWith("0\r\n\r\n")).toBe(false);
  });

  it("that streams is not read faster than its caller reads", async () => {
    const total = 64 * mebibyte;
    let written = 0;
    presto.answer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      const piece = "x".repeat(64 * 1024);
      const more = (): void => {
        while (written < total) {
          written += piece.length;
          if (!socket.write(piece)) break;
        }
        if (written < total) socket.once("drain", more);
      };
      more();
    });
    caller.send(queryCall("T1"));
    // It reads for a while, and then no more.
    await eventually(() => caller.received().length).toBeGreaterThan(4 * mebibyte);
    caller.socket.pause();
    let before = -1;
    await eventually(() => {
      const still = written === before;
      before = written;
      return still;
    }).toBe(true);
    // What the sockets' own buffers on the way hold, and no more.
    expect(written).toBeLessThan(total / 2);
    expect((await loadOf(sidecar)).buffered).toBeLessThanOrEqual(mebibyte);
    caller.socket.resume();
    await expect.poll(() => caller.received().length, { timeout: 40_000 }).toBeGreaterThan(total);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("whose caller goes away in the middle is cancelled at Presto", async () => {
    const waiting: WireRequest[] = [];
    presto.answer((request) => {
      waiting.push(request);
      request.socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${9 * mebibyte}\r\n\r\n${"x".repeat(2 * mebibyte)}`,
      );
    });
    caller.send(queryCall("T1"));
    await eventually(() => caller.received().length).toBeGreaterThan(2 * mebibyte);
    const closed = new Promise<void>((resolve) => {
      waiting[0]?.socket.once("close", () => resolve());
    });
    caller.socket.resetAndDestroy();
    await closed;
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
    await eventually(() => callLines(sidecar)).toMatchObject([{ caller_gone: true, status: 200 }]);
  });
});

describe("while PRESTO_MAX_BUFFERED has no room", () => {
  it("small replies stream, too, and arrive whole", async () => {
    await restart({ PRESTO_MAX_BUFFERED: "1KiB" });
    const body = noise(100_000);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200, body)));
    caller.send(queryCall("T1") + confirmCall("T2"));
    const answers = await caller.answers(2);
    expect(answers.map((answer) => answer.body === body)).toEqual([true, true]);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("a reply that is cut then cuts the connection", async () => {
    await restart({ PRESTO_MAX_BUFFERED: "1KiB" });
    presto.answer(
      ({ socket }) => void socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n${noise(5_000)}`),
    );
    caller.send(queryCall("T1"));
    await caller.ended();
    expect(await caller.answers(1)).toEqual([]);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });
});
