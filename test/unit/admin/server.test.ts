import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type BoundableServer, createServer } from "../../../src/admin/server.ts";
import { ignore } from "../../../src/lib/events.ts";
import { bindServer } from "../../../src/listen/bind.ts";
import { rawExchange, rawRequest, statusOf } from "../../support/raw-exchange.ts";

let bound: BoundableServer;
let port: number;
let asked: PromiseWithResolvers<void>;
const sockets: Socket[] = [];

beforeEach(async () => {
  asked = Promise.withResolvers();
  bound = await createServer({
    emit: ignore,
    methods: ["GET", "HEAD"],
    objection: ({ headers }) => (headers["x-refuse"] === undefined ? undefined : "Refused."),
    routes(app) {
      app.get("/livez", (_request, reply) => reply.send("ok"));
      app.get("/slow", () => {
        asked.resolve();
        return new Promise(() => {});
      });
    },
  });
  const { address } = await bindServer(bound.server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  port = address.kind === "tcp" ? address.port : 0;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await bound.close();
});

async function lives(): Promise<boolean> {
  return statusOf(await rawRequest(port, "GET /livez HTTP/1.1", "Host: x")) === 200;
}

function open(): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  return socket;
}

describe("a request", () => {
  it("is judged by its method first, then by the objection, then by its body", async () => {
    const ask = async (...head: string[]) => statusOf(await rawRequest(port, ...head, "Host: x"));
    expect(await ask("POST /livez HTTP/1.1", "X-Refuse: 1", "Content-Length: 3")).toBe(405);
    expect(await ask("GET /livez HTTP/1.1", "X-Refuse: 1", "Content-Length: 3")).toBe(403);
    expect(await ask("GET /nothing HTTP/1.1", "Content-Length: 3")).toBe(400);
    expect(await ask("GET /nothing HTTP/1.1")).toBe(404);
    expect(await ask("GET /livez HTTP/1.1")).toBe(200);
  });

  it.each([
    ["a length", "Content-Length: 3\r\n\r\nabc"],
    ["chunks", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
  ])("a body with %s is refused, unread", async (_what, rest) => {
    const reply = await rawExchange(port, `GET /livez HTTP/1.1\r\nHost: x\r\n${rest}`);
    expect(statusOf(reply)).toBe(400);
    expect(reply).toMatch(/^connection: close\r$/im);
  });
});

describe("a body that nobody wants", () => {
  const head = "POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const pieces = (count: number): string => "1\r\nx\r\n".repeat(count);

  it.each([
    ["it is large", `1388\r\n${"x".repeat(5_000)}\r\n`],
    ["it is of many pieces", pieces(64)],
    ["it has not begun", ""],
  ])("ends its connection though %s, and does not end", async (_what, body) => {
    const socket = open();
    const ended = once(socket, "close");
    socket.resume();
    socket.write(head + body);
    await ended;
    expect(await lives()).toBe(true);
  });

  it("is read for no longer than a moment in one turn of the event loop, from however many it comes", async () => {
    const senders = Array.from({ length: 40 }, open);
    await Promise.all(senders.map((socket) => once(socket, "connect")));
    const accepted = promisify(bound.server.getConnections.bind(bound.server));
    await expect.poll(() => accepted()).toBe(senders.length);
    const closed = Promise.all(senders.map((socket) => once(socket.resume(), "close")));
    for (const socket of senders) socket.write(head + pieces(10_000));
    // Processor time of this thread: what others take of the machine is not in it.
    let longest = 0;
    let before = process.threadCpuUsage();
    const watch = setInterval(() => {
      const { user, system } = process.threadCpuUsage(before);
      longest = Math.max(longest, user + system);
      before = process.threadCpuUsage();
    }, 0);
    await closed;
    clearInterval(watch);
    // One request with its first 64 KiB takes 30 ms, and all 40 at once took a second.
    expect(longest / 1000).toBeLessThan(250);
    expect(await lives()).toBe(true);
  }, 120_000);
});

describe("what comes from anywhere", () => {
  it.each([
    ["noise", () => randomBytes(4096)],
    ["another protocol", () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    ["a head without end", () => `GET /livez HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(20_000)}`],
    ["two lengths", () => "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
    ["no Host", () => "GET /livez HTTP/1.1\r\n\r\n"],
    ["a bare line feed", () => "GET /livez HTTP/1.1\nHost: x\n\n"],
    ["an unknown method", () => "BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n"],
  ])("is refused and survived: %s", async (_what, bytes) => {
    const reply = await rawExchange(port, bytes());
    expect(reply === "" || statusOf(reply) >= 400).toBe(true);
    expect(await lives()).toBe(true);
  });

  it("can't keep a probe out by holding connections: over 128 the oldest goes", async () => {
    let ended = 0;
    for (let i = 0; i < 300; i++) {
      const socket = open();
      socket.on("close", () => (ended += 1));
      await once(socket, "connect");
    }
    expect(await lives()).toBe(true);
    await expect.poll(() => ended).toBeGreaterThanOrEqual(300 - 128);
    expect(sockets.at(-1)?.destroyed).toBe(false);
  });

  it("is waited for only so long: a head must be complete in 5 s, an idle connection ends after 10 s", () => {
    const { headersTimeout, requestTimeout, timeout, keepAliveTimeout, maxRequestsPerSocket } = bound.server;
    expect({ headersTimeout, requestTimeout, timeout, keepAliveTimeout, maxRequestsPerSocket }).toEqual({
      headersTimeout: 5000,
      requestTimeout: 5000,
      timeout: 10_000,
      keepAliveTimeout: 10_000,
      maxRequestsPerSocket: 1000,
    });
  });

  it("does not keep the listener from closing, even while it is being answered", async () => {
    const socket = open();
    socket.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    await asked.promise;
    const ended = new Promise<void>((resolve) => {
      socket.on("close", () => resolve());
    });
    await bound.close();
    await ended;
    expect(bound.server.listening).toBe(false);
    // Within less than the 10 s after which the server would give the connection up by itself.
  }, 5000);
});
