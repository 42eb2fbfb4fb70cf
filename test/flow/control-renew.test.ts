import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createControlServer } from "../../src/admin/control.ts";
import type { BoundableServer } from "../../src/admin/server.ts";
import { bindServer } from "../../src/listen/bind.ts";
import type { RenewReply, RenewRequest } from "../../src/renewal/types.ts";
import { rawRequest, statusOf } from "../support/raw-exchange.ts";

const renewed: RenewReply = { kind: "renewed", generation: 8, expiresAt: new Date("2027-02-22T00:00:00Z") };

let bound: BoundableServer;
let port: number;
let wishes: RenewRequest[];
let warnings: unknown[];
let end: PromiseWithResolvers<RenewReply>;
/** Server's side of the connections. */
let accepted: Socket[];
const callers: Socket[] = [];

beforeEach(async () => {
  wishes = [];
  warnings = [];
  accepted = [];
  end = Promise.withResolvers();
  bound = await createControlServer({
    actions: {
      drain() {},
      quit() {},
      reload: () => Promise.resolve([]),
      renew(wish) {
        wishes.push(wish);
        return end.promise;
      },
    },
    emit: ({ message, cause }) => warnings.push([message, cause]),
  });
  bound.server.on("connection", (socket: Socket) => accepted.push(socket));
  const { address } = await bindServer(bound.server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  port = address.kind === "tcp" ? address.port : 0;
});

afterEach(async () => {
  for (const socket of callers.splice(0)) socket.destroy();
  await bound.close();
});

async function renew(query = "", ...headers: string[]) {
  const reply = await rawRequest(
    port,
    `POST /renew${query} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Presto-Control: 1",
    ...headers,
  );
  const [head = "", body = ""] = reply.split("\r\n\r\n");
  return { status: statusOf(reply), head: head.toLowerCase(), json: JSON.parse(body) as unknown };
}

/** Asks on a connection that stays open. */
function ask(query: string): { socket: Socket; text: () => string } {
  const socket = connect(port, "127.0.0.1");
  callers.push(socket);
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.write(`POST /renew${query} HTTP/1.1\r\nHost: localhost\r\nPresto-Control: 1\r\n\r\n`);
  return { socket, text: () => text };
}

describe("POST /renew", () => {
  it("hands the wish on, and answers what was stored", async () => {
    end.resolve(renewed);
    const reply = await renew("?force=1&wait=5s");
    expect([reply.status, reply.json]).toEqual([
      200,
      { generation: 8, expires_at: "2027-02-22T00:00:00.000Z" },
    ]);
    expect(wishes).toEqual([{ force: true, waitMs: 5000 }]);
  });

  it("waits 30 s and leaves the alarm alone unless told otherwise", async () => {
    end.resolve({ kind: "under-way", state: "settling" });
    const reply = await renew();
    expect([reply.status, reply.json]).toEqual([202, { state: "settling" }]);
    expect(wishes).toEqual([{ force: false, waitMs: 30_000 }]);
  });

  it("says when to ask again where something could not be reached", async () => {
    end.resolve({ kind: "unreachable", detail: "The store is away.", retryAfterMs: 2500 });
    const reply = await renew();
    expect([reply.status, reply.json]).toEqual([503, { code: "unreachable", detail: "The store is away." }]);
    expect(reply.head).toMatch(/^retry-after: 3\r?$/m);
  });

  it.each([
    [409, "alarm-latched", { kind: "stopped", detail: "Two issue." }],
    [502, "refused", { kind: "refused", detail: "Two issue." }],
  ] as const)("is refused with %i %s", async (status, code, given) => {
    end.resolve(given);
    const reply = await renew();
    expect([reply.status, reply.json]).toEqual([status, { code, detail: "Two issue." }]);
    expect(reply.head).not.toContain("retry-after");
  });

  it.each(["?wait=soon", "?force=yes", "?dry=1", "?wait=1s&wait=2s"])(
    "does not act on %s, which it is not sure to understand",
    async (query) => {
      expect(await renew(query)).toMatchObject({ status: 400, json: { code: "bad-request" } });
      expect(wishes).toEqual([]);
    },
  );

  it("is judged by method and conditions before its query", async () => {
    const request = async (...head: string[]) => statusOf(await rawRequest(port, ...head));
    expect(await request("GET /renew?dry=1 HTTP/1.1", "Host: localhost", "Presto-Control: 1")).toBe(405);
    expect(await request("POST /renew?dry=1 HTTP/1.1", "Host: localhost")).toBe(403);
    expect(wishes).toEqual([]);
  });

  it("keeps a fault of the renewal's own for the log", async () => {
    const asked = renew();
    await expect.poll(() => wishes).toHaveLength(1);
    end.reject(new Error("MARKED-99"));
    const reply = await asked;
    expect(reply).toMatchObject({ status: 500, json: { code: "internal-error" } });
    expect(JSON.stringify(reply)).not.toContain("MARKED");
    expect(warnings).toHaveLength(1);
  });
});

describe("a caller that waits for a renewal", () => {
  it("is given as long as it asked for, and then no longer than others", async () => {
    const { socket, text } = ask("?wait=2m");
    await expect.poll(() => wishes).toHaveLength(1);
    // The socket's idle time-out, which Node acts on while a request is being answered.
    expect(accepted[0]?.timeout).toBe(130_000);
    end.resolve(renewed);
    await once(socket, "data");
    expect(text()).toMatch(/^HTTP\/1\.1 200 /);
    // What Node sets for a connection between two requests: keepAliveTimeout, and its own second on top.
    await expect.poll(() => accepted[0]?.timeout).toBe(11_000);
    socket.write("POST /drain HTTP/1.1\r\nHost: localhost\r\nPresto-Control: 1\r\n\r\n");
    await expect.poll(text).toContain("draining");
    expect(accepted[0]?.timeout).toBeLessThanOrEqual(11_000);
    expect(accepted).toHaveLength(1);
  });

  it("may go away: the renewal goes on, and nothing fails", async () => {
    const { socket } = ask("");
    await expect.poll(() => wishes).toHaveLength(1);
    socket.destroy();
    await expect.poll(() => accepted[0]?.destroyed).toBe(true);
    end.resolve(renewed);
    // The next one is served as ever.
    expect((await renew()).status).toBe(200);
    expect(warnings).toEqual([]);
  });

  it("does not keep the listener from closing", async () => {
    const { socket } = ask("?wait=10m");
    await expect.poll(() => wishes).toHaveLength(1);
    const closed = once(socket, "close");
    await bound.close();
    await closed;
  });
});
