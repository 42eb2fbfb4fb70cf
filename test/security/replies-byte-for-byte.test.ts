import { Agent } from "node:http";
import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { makeCall } from "../support/whole-call.ts";
import type { WholeReply } from "../support/whole-call.ts";

// Invariant 5, the way back: what Presto says reaches the caller byte for byte, whole or streamed.

const mebi = 1024 * 1024;
const wallet = "/api/institutions/v1/wallet";
let presto: RawPresto;
let sidecar: RunningSidecar;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});

afterAll(async () => {
  agent.destroy();
  await sidecar.close();
  await presto.close();
});

type Framing = "length" | "chunks" | "end of the connection";
const framings: readonly Framing[] = ["length", "chunks", "end of the connection"];

interface Given {
  readonly status?: number;
  readonly lines?: readonly string[];
  readonly body: Buffer;
  readonly framing?: Framing;
  readonly chunk?: number;
}

/** Has Presto answer so, and makes a call. */
function answerWith({
  status = 200,
  lines = [],
  body,
  framing = "length",
  chunk = 10_000,
}: Given): Promise<WholeReply> {
  presto.answer(({ socket }) => {
    const fields = {
      length: `Content-Length: ${body.length}\r\n`,
      chunks: "Transfer-Encoding: chunked\r\n",
      "end of the connection": "Connection: close\r\n",
    };
    const head = `HTTP/1.1 ${status} As it is\r\n${lines.map((line) => `${line}\r\n`).join("")}${fields[framing]}\r\n`;
    socket.write(Buffer.from(head, "latin1"));
    if (framing === "chunks") {
      for (let from = 0; from < body.length; from += chunk) {
        const piece = body.subarray(from, from + chunk);
        socket.write(
          Buffer.concat([Buffer.from(`${piece.length.toString(16)};x=y\r\n`), piece, Buffer.from("\r\n")]),
        );
      }
      socket.write("0\r\nX-Trailer: y\r\n\r\n");
    } else {
      socket.write(body);
    }
    if (framing === "end of the connection") socket.end();
  });
  return makeCall({ port: sidecar.port, agent, method: "GET", path: `${wallet}/transaction/T-1` });
}

const bodies: Record<string, Buffer> = {
  "amounts in every notation": Buffer.from('{"amount":200.000,"a":10.50,"b":1e2,"c":-0, "d":"\\u0645"}\n'),
  "a byte order mark": Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
  "invalid UTF-8": Buffer.from([0xff, 0xfe, 0xc0, 0x80]),
  "every byte": Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  nothing: Buffer.alloc(0),
  "one byte": Buffer.from([0]),
  "what looks like an answer": Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
};
for (const [name, size] of [
  ["a byte less than 1 MiB", mebi - 1],
  ["1 MiB", mebi],
  ["a byte more than 1 MiB", mebi + 1],
  ["8 MiB", 8 * mebi],
] as const) {
  const body = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4) body.writeUInt8((at * 31) % 251, at);
  bodies[name] = body;
}

describe.each(framings)("a reply that ends by %s", (framing) => {
  it.each(Object.keys(bodies))("has its body as it was: %s", async (name) => {
    const body = bodies[name] ?? Buffer.alloc(0);
    const reply = await answerWith({ body, framing, lines: ["Content-Type: application/json"] });
    expect([reply.status, reply.values("presto-outcome")]).toEqual([200, ["answered"]]);
    expect(reply.body.equals(body)).toBe(true);
    // A length that is stated is true; one that was stated is stated again.
    if (body.length <= mebi || framing === "length")
      expect(reply.values("content-length")).toEqual([String(body.length)]);
    else expect(reply.values("transfer-encoding")).toEqual(["chunked"]);
    expect(reply.values("x-trailer")).toEqual([]);
  });
});

describe("a reply", () => {
  it("keeps its coding, and is neither unpacked nor packed", async () => {
    for (const size of [10, 2 * mebi]) {
      const body = gzipSync(Buffer.alloc(size, "amount"), { level: 0 });
      const reply = await answerWith({
        body,
        lines: ["Content-Encoding: gzip", "Content-Type: application/json"],
      });
      expect(reply.values("content-encoding")).toEqual(["gzip"]);
      expect(reply.body.equals(body)).toBe(true);
    }
  });

  it.each([
    ["none", []],
    ["an odd one", ["Content-Type: nonsense;;"]],
    ["one with a charset", ["content-type: text/html; charset=iso-8859-6"]],
    ["two", ["Content-Type: a/b", "Content-Type: c/d"]],
  ])("has the type that Presto gave it: %s", async (_what, lines) => {
    const reply = await answerWith({ lines, body: Buffer.from("{}") });
    expect(reply.values("content-type")).toEqual(lines.map((line) => line.split(": ")[1]));
  });

  it("keeps its fields: their order, letter case, repetitions and bytes", async () => {
    const lines = [
      "X-One: 1",
      "x-tWo: \xe9\xff\x80 obs-text",
      "X-One: 2",
      "Warning: 199 - a",
      "X-Empty: ",
      "Warning: 199 - b",
      "Vary: a",
      "Vary: b",
      'ETag: "x"',
      "Retry-After: 7",
      "X-Tab: a\tb",
    ];
    const reply = await answerWith({ lines, body: Buffer.from("{}") });
    const seen: string[] = [];
    for (let at = 0; at < reply.rawHeaders.length; at += 2)
      seen.push(`${reply.rawHeaders[at]}: ${reply.rawHeaders[at + 1]}`);
    expect(seen.slice(0, lines.length)).toEqual(lines);
  });

  it.each([
    200, 201, 202, 203, 206, 299, 300, 400, 404, 409, 418, 422, 429, 451, 499, 500, 502, 503, 504, 599,
  ])("with status %i keeps status and body", async (status) => {
    const body = Buffer.from('{"message":"200.000"}');
    const reply = await answerWith({ status, body });
    expect([reply.status, reply.values("presto-outcome")]).toEqual([status, ["answered"]]);
    expect(reply.body.equals(body)).toBe(true);
  });

  it.each([204, 304])(
    "with status %i has no body and no length, and the connection goes on",
    async (status) => {
      presto.answer(({ socket }) => socket.write(`HTTP/1.1 ${status} X\r\nETag: "x"\r\n\r\n`));
      const caller = await openRawCaller(sidecar);
      const ask = `GET ${wallet}/transaction/T-1 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      caller.send(ask + ask);
      const answers = await caller.answers(2);
      expect(answers.map((answer) => answer.status)).toEqual([status, status]);
      expect(answers[0]?.headers).not.toHaveProperty("content-length");
      expect(answers[0]?.headers).not.toHaveProperty("transfer-encoding");
      caller.close();
    },
  );

  it("with status 401 keeps status and body, and what it says of the token", async () => {
    const another = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
    const body = '{"message":"Unauthenticated."}';
    presto.answer(({ socket }) =>
      socket.write(httpAnswer(401, body, ['WWW-Authenticate: Bearer error="invalid_token"'])),
    );
    const path = `${wallet}/transaction/T-1`;
    const reply = await makeCall({ port: another.port, method: "GET", path });
    await another.close();
    expect([reply.status, reply.body.toString()]).toEqual([401, body]);
    expect(reply.values("www-authenticate")).toEqual(['Bearer error="invalid_token"']);
  });

  it("that streams reaches a caller of HTTP/1.0 without chunks", async () => {
    const body = bodies["8 MiB"] ?? Buffer.alloc(0);
    void answerWith({ body, framing: "chunks" }).catch(() => {});
    const caller = await openRawCaller(sidecar);
    const received: Buffer[] = [];
    caller.socket.on("data", (chunk: Buffer) => received.push(chunk));
    caller.send(`GET ${wallet}/transaction/T-1 HTTP/1.0\r\nHost: localhost\r\n\r\n`);
    await caller.ended();
    const bytes = Buffer.concat(received);
    const head = bytes.indexOf("\r\n\r\n") + 4;
    expect(bytes.subarray(0, head).toString("latin1")).not.toMatch(/transfer-encoding/i);
    expect(bytes.subarray(head).equals(body)).toBe(true);
  });

  it("that streams and is cut short ends the caller's connection before its end", async () => {
    for (const framing of ["length", "chunks"] as const) {
      presto.answer(({ socket }) => {
        const field = framing === "length" ? `Content-Length: ${4 * mebi}` : "Transfer-Encoding: chunked";
        const size = framing === "length" ? "" : `${(4 * mebi).toString(16)}\r\n`;
        socket.end(`HTTP/1.1 200 X\r\n${field}\r\n\r\n${size}${"x".repeat(2 * mebi)}`);
      });
      const cut = makeCall({ port: sidecar.port, method: "GET", path: `${wallet}/transaction/T-1` });
      await expect(cut).rejects.toThrow(/aborted|ECONNRESET|hang up/);
    }
  });
});

it("random bytes come back as they were sent, in both directions", async () => {
  const bytes = fc.uint8Array({ maxLength: 4_000 }).map((array) => Buffer.from(array));
  let reply = Buffer.alloc(0);
  let framing: Framing = "length";
  await fc.assert(
    fc.asyncProperty(
      bytes,
      bytes,
      fc.constantFrom(...framings),
      fc.integer({ min: 1, max: 900 }),
      async (there, back, how, chunk) => {
        reply = back;
        framing = how;
        const answered = answerWith({ body: reply, framing, chunk });
        expect((await answered).body.equals(back)).toBe(true);
        const sent = await makeCall({
          port: sidecar.port,
          agent,
          method: "POST",
          path: `${wallet}/init`,
          body: there,
        });
        expect(sent.body.equals(back)).toBe(true);
        expect(presto.requests.at(-1)?.body.equals(there)).toBe(true);
      },
    ),
    { numRuns: 250 },
  );
});
