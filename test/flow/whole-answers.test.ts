import { connect, createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller, type WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto, type WireRequest } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { confirmCall, queryCall } from "../support/wallet-call.ts";

// RFC 9112 sections 6.3, 7 and 9.8: an answer is whole when its length, its last chunk or TLS says so.

let presto: RawPresto;
let sidecar: RunningSidecar;

const start = (url: string, env: Record<string, string> = {}): Promise<RunningSidecar> =>
  startSidecar({ url, caPem: presto.authority.certPem, env });

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await start(presto.url);
});
afterEach(() => presto.answer(({ socket }) => void socket.write(httpAnswer(200))));
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const whole = '{"data":{"amount":10.500}}';
const half = whole.slice(0, 20);
const unmarked = (body: string): string => `${head}\r\n${body}`;

/** How many were made: each is of a transaction of its own. */
let confirms = 0;

/** A confirm that is answered so; what is asked about it is answered well. */
async function confirmed(answer: (request: WireRequest) => void, by = sidecar): Promise<WireAnswer> {
  const before = presto.requests.filter(({ requestLine }) => requestLine.startsWith("POST")).length;
  presto.answer((request) => {
    if (request.requestLine.startsWith("POST")) answer(request);
    else request.socket.write(httpAnswer(200, '{"data":{"status":"completed"}}'));
  });
  confirms += 1;
  const reply = await exchange(by, confirmCall(`T${confirms}`));
  const after = presto.requests.filter(({ requestLine }) => requestLine.startsWith("POST")).length;
  expect(after - before).toBe(1);
  return reply;
}

function expectUnknown(reply: WireAnswer): void {
  expectProblem(reply, {
    status: 502,
    code: "upstream-broken",
    outcome: "unknown",
    proxyStatus: "http_response_incomplete",
    retryable: false,
    transaction: { reference: `T${confirms}`, status: "completed" },
  });
}

describe.each(["TLSv1.3", "TLSv1.2"] as const)(
  "an answer that nothing ends but its connection, over %s,",
  (version) => {
    beforeAll(async () => presto.present(await presto.authority.issue(), { maxVersion: version }));
    afterAll(async () => presto.present(await presto.authority.issue()));

    it.each([
      ["with half of its JSON", half],
      ["with all of its JSON", whole],
      ["with nothing", ""],
    ])("%s is unknown where TLS was not ended", async (_what, body) => {
      for (let round = 0; round < 3; round += 1) {
        expectUnknown(
          await confirmed(({ socket }) => void socket.write(unmarked(body), () => presto.cut(socket))),
        );
        expectUnknown(
          await confirmed(({ socket }) => {
            socket.write(unmarked(body));
            setTimeout(() => presto.cut(socket), 30);
          }),
        );
      }
    });

    it("is the answer where TLS was ended, with its last bytes or after them", async () => {
      for (let round = 0; round < 5; round += 1) {
        const ends: ((request: WireRequest) => void)[] = [
          ({ socket }) => void socket.end(unmarked(whole)),
          ({ socket }) => {
            socket.write(unmarked(half));
            setTimeout(() => void socket.end(whole.slice(half.length)), 20);
          },
          ({ socket }) => {
            socket.write(unmarked(whole));
            setTimeout(() => void socket.end(), 20);
          },
          ({ socket }) => void socket.end(`HTTP/1.0 200 OK\r\n\r\n${whole}`),
        ];
        for (const end of ends) {
          expect(await confirmed(end)).toMatchObject({
            status: 200,
            body: whole,
            headers: { "presto-outcome": "answered" },
          });
        }
      }
    });
  },
);

interface Relay {
  readonly url: string;
  /** Lets so many bytes more of the server's through on the connection that comes from this port, and then ends it with a FIN. */
  allow(port: number | undefined, bytes: number): void;
}

/** Passes on what comes. */
async function openRelay(): Promise<Relay> {
  const left = new Map<number | undefined, number>();
  const server = createServer((caller: Socket) => {
    const callee = connect(presto.port, "127.0.0.1");
    for (const socket of [caller, callee]) socket.on("error", () => {}).setNoDelay(true);
    caller.pipe(callee);
    callee.on("data", (bytes: Buffer) => {
      const { localPort } = callee;
      const allowed = left.get(localPort) ?? Number.POSITIVE_INFINITY;
      const passed = bytes.subarray(0, allowed);
      caller.write(passed);
      left.set(localPort, allowed - passed.length);
      if (passed.length < allowed) return;
      left.delete(localPort);
      caller.end();
      callee.destroy();
    });
    callee.on("end", () => caller.end());
    caller.on("close", () => callee.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `https://localhost:${port}`,
    allow: (from, bytes) => void left.set(from, bytes),
  };
}

it("an answer that is cut within a record of TLS is unknown, wherever that is", async () => {
  const relay = await openRelay();
  const behind = await start(relay.url, { PRESTO_MAX_IN_FLIGHT: "1" });
  onTestFinished(() => behind.close());
  const first = unmarked(half);
  // 22 bytes are TLS 1.3's own; 24 are as many as a close_notify has.
  for (const more of [0, 1, 2, 5, 22, 23, 24, 25, 46]) {
    // Over one connection, and with this answer all has come that TLS sends by itself on a new one.
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    await exchange(behind, queryCall("T0"));
    await pause(20);
    const reply = await confirmed(({ socket }) => {
      relay.allow(socket.remotePort, first.length + 22 + more);
      socket.write(first);
      setTimeout(() => void socket.end("x".repeat(100)), 15);
    }, behind);
    expect([more, reply.headers["presto-outcome"]]).toEqual([more, "unknown"]);
  }
});

describe("a transfer coding that nobody decodes makes it unknown, and the connection is not used again:", () => {
  it.each([
    ["gzip", "Transfer-Encoding: gzip\r\n\r\nxx", "end"],
    ["identity", `Transfer-Encoding: identity\r\n\r\n${whole}`, "end"],
    ["gzip in chunks", "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n", "keep"],
    [
      "the same in two fields",
      "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n",
      "keep",
    ],
    ["chunks of chunks", "Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "keep"],
    ["chunks that are not the last", "Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nxx\r\n0\r\n\r\n", "end"],
    ["chunks by another name", "Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "end"],
    [
      "chunks and a length",
      `Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      "keep",
    ],
    ["gzip and a length", "Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", "keep"],
  ])("%s", async (_what, rest, end) => {
    let used = 0;
    expectUnknown(
      await confirmed(({ socket, connection }) => {
        used = connection;
        if (end === "end") socket.end(head + rest);
        else socket.write(head + rest);
      }),
    );
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    await exchange(sidecar, confirmCall("T-next"));
    expect(presto.requests.at(-1)?.connection).not.toBe(used);
  });
});

it.each([
  ["in the last chunk's line", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r"],
  ["before the trailers' end", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"],
  ["within the trailers", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n"],
  ["within a chunk", "Transfer-Encoding: chunked\r\n\r\nff\r\n{}"],
  ["before its length", "Content-Length: 3\r\n\r\n{}"],
  ["before its length, though it says close", "Connection: close\r\nContent-Length: 3\r\n\r\n{}"],
])("an answer that ends %s is unknown, though TLS was ended", async (_where, rest) => {
  expectUnknown(await confirmed(({ socket }) => void socket.end(head + rest)));
});

describe("a long answer that is cut ends with a reset,", () => {
  const long = "x".repeat(2 * 1024 * 1024);

  it.each(["HTTP/1.0", "HTTP/1.1"])("for a caller of %s", async (version) => {
    const cuts: readonly (readonly [string, (socket: WireRequest["socket"]) => void])[] = [
      [`${head}\r\n`, (socket) => presto.cut(socket)],
      [`${head}Content-Length: 9000000\r\n\r\n`, (socket) => socket.end()],
      [`${head}Transfer-Encoding: chunked\r\n\r\n200000\r\n`, (socket) => socket.end()],
    ];
    for (const [fields, cut] of cuts) {
      let answering: WireRequest["socket"] | undefined;
      presto.answer(({ socket }) => {
        answering = socket;
        socket.write(fields + long);
      });
      const caller = await openRawCaller(sidecar);
      const errors: string[] = [];
      caller.socket.on("error", (error) => errors.push(String(Reflect.get(error, "code"))));
      caller.socket.on("end", () => errors.push("a plain end"));
      caller.send(queryCall("T1").replace("HTTP/1.1", version));
      await expect.poll(() => caller.received().length).toBeGreaterThan(long.length);
      if (answering !== undefined) cut(answering);
      await caller.ended();
      await expect.poll(() => errors).toEqual(["ECONNRESET"]);
    }
  });

  it("and one that is whole does not", async () => {
    presto.answer(({ socket }) => void socket.end(`${head}\r\n${long}`));
    for (const version of ["HTTP/1.0", "HTTP/1.1"]) {
      const caller = await openRawCaller(sidecar);
      const errors: Error[] = [];
      caller.socket.on("error", (error) => errors.push(error));
      caller.send(queryCall("T1", "Connection: close").replace("HTTP/1.1", version));
      await caller.ended();
      expect(caller.received()).toContain(version === "HTTP/1.0" ? long : "\r\n0\r\n\r\n");
      expect(errors).toEqual([]);
    }
  });
});

describe("chunks in an answer of HTTP/1.0 (RFC 9112 section 6.1: faulty framing)", () => {
  const oldHead =
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunks = `${whole.length.toString(16)}\r\n${whole}\r\n0\r\n\r\n`;

  it.each([
    ["in one piece", [oldHead + chunks]],
    ["byte by byte", [...oldHead, ...chunks]],
    ["behind an interim answer", [`HTTP/1.1 103 Early Hints\r\n\r\n${oldHead}${chunks}`]],
  ])("that comes %s is the answer, and no other call goes over its connection", async (_how, pieces) => {
    const write = async ({ socket }: WireRequest): Promise<void> => {
      for (const piece of pieces) {
        socket.write(piece);
        if (pieces.length > 1) await pause(1);
      }
    };
    const reply = await confirmed((request) => void write(request));
    expect([reply.status, reply.headers["presto-outcome"], reply.body]).toEqual([200, "answered", whole]);
    const used = presto.requests.findLast(({ requestLine }) => requestLine.startsWith("POST"))?.connection;
    await exchange(sidecar, queryCall("T2"));
    expect(presto.requests.at(-1)?.connection).not.toBe(used);
  });

  it("are unknown where the last one did not come", async () => {
    expectUnknown(await confirmed(({ socket }) => void socket.end(oldHead + chunks.slice(0, -5))));
  });

  it("take nothing from one of HTTP/1.0 that has a length: its connection is kept", async () => {
    const old = `HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: ${whole.length}\r\n\r\n${whole}`;
    expect((await confirmed(({ socket }) => void socket.write(old))).status).toBe(200);
    const used = presto.requests.findLast(({ requestLine }) => requestLine.startsWith("POST"))?.connection;
    // Together they take every idle connection, whichever stands first in the pool.
    await Promise.all(["T2", "T3", "T4", "T5"].map((query) => exchange(sidecar, queryCall(query))));
    expect(presto.requests.slice(-4).map(({ connection }) => connection)).toContain(used);
  });
});
