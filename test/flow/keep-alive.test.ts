import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { echo } from "../support/held-presto.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { getCall, initCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
});
afterAll(() => presto.close());
afterEach(() => sidecar.close());

async function start(): Promise<void> {
  presto.answer((request) => void request.socket.write(echo(request)));
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
}

describe("a caller's connection", () => {
  it("stays for further calls, and says how long it is kept: longer than clients keep theirs", async () => {
    await start();
    const caller = await openRawCaller(sidecar);
    for (let count = 1; count <= 5; count += 1) {
      caller.send(count % 2 === 0 ? nextConfirmCall() : queryCall("T1"));
      const answer = (await caller.answers(count)).at(-1);
      expect(answer?.headers).toMatchObject({ connection: "keep-alive", "keep-alive": "timeout=75" });
    }
    caller.send(getCall("/nothing"));
    expect((await caller.answers(6)).at(-1)).toMatchObject({ status: 403 });
    caller.send(queryCall("T1"));
    expect((await caller.answers(7)).at(-1)).toMatchObject({ status: 200 });
    caller.close();
  });

  it.each([
    ["a call that asks for it", queryCall("T1", "Connection: close"), 200],
    ["a refusal of one that asks for it", getCall("/nothing", "Connection: close"), 403],
    ["HTTP/1.0", queryCall("T1").replace("HTTP/1.1", "HTTP/1.0"), 200],
  ])("closes after %s", async (_name, bytes, status) => {
    await start();
    const caller = await openRawCaller(sidecar);
    caller.send(bytes);
    const [answer] = await caller.answers(1);
    expect(answer?.status).toBe(status);
    expect(answer?.headers["connection"]).toBe("close");
    expect(answer?.headers["presto-outcome"]).toBeDefined();
    await caller.ended();
    caller.close();
  });

  it("with HTTP/1.0 gets a large reply without chunks", async () => {
    await start();
    presto.answer(({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const body = "x".repeat(2_000_000);
      socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    });
    const caller = await openRawCaller(sidecar);
    caller.send(queryCall("T1").replace("HTTP/1.1", "HTTP/1.0"));
    await caller.ended();
    const [head = "", ...rest] = caller.received().split("\r\n\r\n");
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(rest.join("\r\n\r\n")).toBe("x".repeat(2_000_000));
    caller.close();
  });

  it("survives empty lines between requests", async () => {
    await start();
    const caller = await openRawCaller(sidecar);
    caller.send(`\r\n${queryCall("T1")}`);
    expect((await caller.answers(1))[0]?.status).toBe(200);
    caller.send(`\r\n${queryCall("T1")}`);
    expect((await caller.answers(2))[1]?.status).toBe(200);
    caller.close();
  });
});

describe("a connection to Presto", () => {
  it("is used again, for one call at a time", async () => {
    await start();
    const before = presto.connections();
    for (let count = 0; count < 5; count += 1) expect((await exchange(sidecar, initCall())).status).toBe(200);
    expect(presto.connections() - before).toBe(1);
    const waiting: (() => void)[] = [];
    presto.answer(({ socket }) => void waiting.push(() => socket.write(httpAnswer(200))));
    const calls = [1, 2, 3].map(() => exchange(sidecar, initCall()));
    await eventually(() => waiting.length).toBe(3);
    expect(new Set(presto.requests.slice(-3).map(({ connection }) => connection)).size).toBe(3);
    for (const answer of waiting) answer();
    await Promise.all(calls);
  });

  it.each([
    ["says that it closes", "Connection: close"],
    ["keeps connections for one second only", "Keep-Alive: timeout=1"],
  ])("is not used again when Presto %s: a confirm must not meet its end", async (_name, line) => {
    await start();
    presto.answer(
      ({ socket, body }) => void socket.write(httpAnswer(200, `{"data":${body.toString()}}`, [line])),
    );
    const before = presto.connections();
    for (let count = 0; count < 3; count += 1) await exchange(sidecar, nextConfirmCall());
    expect(presto.connections() - before).toBe(3);
  });

  it("that Presto closed while it was idle costs no call", async () => {
    await start();
    for (let count = 0; count < 10; count += 1) {
      expect((await exchange(sidecar, nextConfirmCall())).status).toBe(200);
      const { socket } = presto.requests.at(-1) ?? {};
      const closed = new Promise<void>((resolve) => {
        socket?.once("close", () => resolve());
      });
      socket?.end();
      await closed;
    }
  });

  it("is not used again after an answer that is followed by stray bytes", async () => {
    await start();
    presto.answer(
      ({ socket }) =>
        void socket.write(`${httpAnswer(200)}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray`),
    );
    const first = await exchange(sidecar, queryCall("A"));
    expect(first.body).toBe("{}");
    presto.answer(({ socket }) => void socket.write(httpAnswer(200, '{"right":1}')));
    expect((await exchange(sidecar, queryCall("B"))).body).toBe('{"right":1}');
  });
});
