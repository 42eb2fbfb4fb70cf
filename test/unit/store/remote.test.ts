import { Resolver } from "node:dns/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createRemoteClient, jsonOf, type RemoteClient } from "../../../src/store/remote.ts";
import { createFastClock } from "../../support/fast-clock.ts";
import { createHandClock } from "../../support/hand-clock.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

describe("requests to the server of a store", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  function client(port: number, clock = systemClock): RemoteClient {
    const remote = createRemoteClient({
      url: `http://127.0.0.1:${port}`,
      server: { host: "127.0.0.1", port },
      tls: undefined,
      clock,
    });
    ends.push(remote.close);
    return remote;
  }

  async function serve(answer: Answer) {
    const sockets: Socket[] = [];
    const seen: { readonly method: string | undefined; readonly socket: number }[] = [];
    const server: Server = createServer((request, response) => {
      seen.push({ method: request.method, socket: sockets.indexOf(request.socket) });
      answer(request, response);
    });
    server.on("connection", (socket) => void sockets.push(socket));
    await listen(server);
    return { port: portOf(server), sockets, seen };
  }

  async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<void> {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    ends.push(() => {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    });
  }

  const get = { method: "GET", path: "/v1/it", headers: { "x-secret": "MARKED" } } as const;
  const post = { ...get, method: "POST", body: '{"a":1}' } as const;

  it("gives the answer whole, and keeps the connection", async () => {
    const { port, seen } = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        response.setHeader("X-Index", "7");
        response.end(JSON.stringify({ got: Buffer.concat(chunks).toString() }));
      });
    });
    const remote = client(port);
    const answer = await remote.request(post);
    expect(answer).toMatchObject({ status: 200, headers: { "x-index": "7" } });
    expect(jsonOf(answer)).toEqual({ got: '{"a":1}' });
    await remote.request(get);
    expect(seen.map(({ socket }) => socket)).toEqual([0, 0]);
  });

  it("follows no redirect: what proves us there goes to nobody else", async () => {
    let elsewhere = 0;
    const other = await serve((_request, response) => {
      elsewhere += 1;
      response.end();
    });
    const { port } = await serve((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${other.port}/v1/it` }).end();
    });
    expect((await client(port).request(get)).status).toBe(307);
    expect(elsewhere).toBe(0);
  });

  it("gives up what is not answered in 5 s, with every connection that lay idle, and goes on over a new one", async () => {
    let frozen = false;
    const { port, seen } = await serve((_request, response) => {
      if (!frozen) response.end("{}");
    });
    const remote = client(port, createFastClock(5));
    await Promise.all([remote.request(get), remote.request(get)]);
    frozen = true;
    await expect(remote.request(get)).rejects.toMatchObject({ name: "RemoteError", code: "late" });
    frozen = false;
    await remote.request(get);
    // Two that were kept, the new one that had no answer either, and this.
    expect(seen.at(-1)?.socket).toBe(3);
  });

  it("asks once more over a new connection where a kept one is silent, and goes on over that", async () => {
    let frozen = false;
    const { port, sockets, seen } = await serve((request, response) => {
      if (!frozen || sockets.indexOf(request.socket) >= 2) response.end("{}");
    });
    const clock = createFastClock(2);
    const remote = client(port, clock);
    await Promise.all([remote.request(get), remote.request(get)]);
    frozen = true;
    const beganAt = clock.monotonic();
    expect((await remote.request(get)).status).toBe(200);
    expect(clock.monotonic() - beganAt).toBeLessThan(5_000);
    expect((await remote.request(post)).status).toBe(200);
    expect(seen.slice(3).map(({ socket }) => socket)).toEqual([2, 2]);
  });

  describe.runIf(process.platform === "linux")("of a name that moves to another address", () => {
    let address: string;
    beforeEach(() => {
      address = "127.0.0.1";
      vi.spyOn(Resolver.prototype, "resolve4").mockImplementation(async () => [address]);
      vi.spyOn(Resolver.prototype, "resolve6").mockImplementation(async () => []);
    });
    afterEach(() => vi.restoreAllMocks());

    /** The same port at both addresses, and what each was asked. */
    async function twoPlaces() {
      const seen: string[] = [];
      const sockets = new Set<Socket>();
      const at = async (host: string, port: number): Promise<Server> => {
        const server = createServer((request, response) => {
          seen.push(`${request.method} ${host}`);
          request.resume().on("end", () => {
            if (!frozen.has(request.socket)) response.end(host);
          });
        });
        server.on("connection", (socket) => void sockets.add(socket));
        await new Promise<void>((resolve) => {
          server.listen(port, host, resolve);
        });
        ends.push(() => {
          server.close();
          server.closeAllConnections();
        });
        return server;
      };
      const frozen = new Set<Socket>();
      const first = await at("127.0.0.1", 0);
      const port = portOf(first);
      await at("127.0.0.2", port);
      const remote = createRemoteClient({
        url: `http://api.example:${port}`,
        server: { host: "api.example", port },
        tls: undefined,
        clock: systemClock,
      });
      ends.push(remote.close);
      return {
        remote,
        seen,
        freeze: () => sockets.forEach((socket) => frozen.add(socket)),
        end() {
          first.close();
          first.closeAllConnections();
        },
      };
    }

    const bodyOf = async (answer: Promise<{ readonly body: Buffer }>): Promise<string> =>
      (await answer).body.toString();

    it("looks it up anew for each connection: after an end, and for a stream", async () => {
      const { remote, end } = await twoPlaces();
      expect(await bodyOf(remote.request(get))).toBe("127.0.0.1");
      address = "127.0.0.2";
      // One that is kept is the old server's still.
      expect(await bodyOf(remote.request(get))).toBe("127.0.0.1");
      end();
      expect(await bodyOf(remote.request(get))).toBe("127.0.0.2");
      const stream = await remote.stream(get);
      const chunks: Buffer[] = [];
      for await (const chunk of stream.body) chunks.push(chunk);
      expect(Buffer.concat(chunks).toString()).toBe("127.0.0.2");
    });

    it("finds the new one where the old one went without a word, for a write by its deadline", async () => {
      const { remote, freeze, seen } = await twoPlaces();
      await remote.request(get);
      address = "127.0.0.2";
      freeze();
      const begun = performance.now();
      expect(await bodyOf(remote.request(get))).toBe("127.0.0.2");
      expect(performance.now() - begun).toBeLessThan(10_000);
      expect(await bodyOf(remote.request(post))).toBe("127.0.0.2");
      expect(seen.filter((each) => each.startsWith("POST"))).toEqual(["POST 127.0.0.2"]);
    });
  });

  it("sends nothing twice but a question: a write waits to the end of its time", async () => {
    let frozen = false;
    const { port, seen } = await serve((_request, response) => {
      if (!frozen) response.end("{}");
    });
    const remote = client(port, createFastClock(5));
    await remote.request(get);
    frozen = true;
    await expect(remote.request(post)).rejects.toMatchObject({ code: "late" });
    expect(seen.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  it("sends a GET once more whose kept connection had ended, and nothing else", async () => {
    let cut = false;
    const { port, seen } = await serve((request, response) => {
      if (cut) request.socket.destroy();
      else response.end("{}");
      cut = false;
    });
    const remote = client(port);
    await remote.request(get);
    cut = true;
    expect((await remote.request(get)).status).toBe(200);
    cut = true;
    await expect(remote.request(post)).rejects.toMatchObject({ code: "broken" });
    expect(seen.map(({ method }) => method)).toEqual(["GET", "GET", "GET", "POST"]);
  });

  it("writes over no connection that has lain idle for long", async () => {
    const clock = createHandClock();
    const { port, seen } = await serve((_request, response) => void response.end("{}"));
    const remote = client(port, clock);
    await remote.request(get);
    await clock.advance(5_000);
    await remote.request(post);
    await remote.request(get);
    expect(seen.map(({ socket }) => socket)).toEqual([0, 1, 1]);
  });

  it("reads no more than an object can have, and quotes nothing", async () => {
    const { port } = await serve(
      (_request, response) => void response.end(Buffer.alloc(3 * 1024 * 1024, "M")),
    );
    await expect(client(port).request(get)).rejects.toMatchObject({
      code: "too-large",
      message: expect.not.stringContaining("MM"),
    });
  });

  it("says why there is no connection, and keeps no bytes of what is malformed", async () => {
    const garbage = createTcpServer((socket) => void socket.end("MARKED 200 OK\r\n\r\n"));
    await listen(garbage);
    const malformed: unknown = await client(portOf(garbage))
      .request(get)
      .catch((error: unknown) => error);
    expect(malformed).toMatchObject({ code: "broken" });
    expect(inspect(malformed, { depth: 10, showHidden: true })).not.toContain("MARKED");
    const silent = createTcpServer();
    await listen(silent);
    const port = portOf(silent);
    silent.close();
    await expect(client(port).request(get)).rejects.toMatchObject({
      code: "unreachable",
      message: "connection refused",
    });
  });

  it("waits for the head of a stream, and lets it be silent for as long as it likes", async () => {
    const clock = createFastClock(5);
    const { port, seen } = await serve((_request, response) => {
      if (seen.length > 1) {
        response.end("{}");
        return;
      }
      response.write("first");
      void systemClock.sleep(1_500).then(() => response.end("last"));
    });
    const remote = client(port, clock);
    const { status, body } = await remote.stream(get);
    expect(status).toBe(200);
    // Nobody waits behind it.
    await remote.request(get);
    const chunks: string[] = [];
    for await (const chunk of body) chunks.push(chunk.toString());
    expect(chunks.join(" ")).toBe("first last");
  });

  it("cuts off what is under way when it is closed, and begins nothing more", async () => {
    const { port } = await serve(() => {});
    const remote = client(port);
    const pending = remote.request(get);
    await systemClock.sleep(50);
    remote.close();
    await expect(pending).rejects.toMatchObject({ code: "closed" });
    await expect(remote.request(get)).rejects.toMatchObject({ code: "closed" });
  });
});

function portOf(server: Pick<Server, "address">): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const { port }: AddressInfo = address;
  return port;
}
