import { setTimeout as pause } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createConnections } from "../../src/upstream/connections.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { confirmCall, initCall, queryCall } from "../support/wallet-call.ts";
import { openWay } from "../support/way-out.ts";

// RFC 9112 section 9.2: an answer that nothing asked for must not be taken for the next one's.

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeEach(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});
afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

const foreign = httpAnswer(200, '{"data":{"transaction_reference":"OTHER"}}');
const warnings = (): number =>
  sidecar.lines().filter(({ level, msg }) => level === "warn" && String(msg).startsWith("Bytes came")).length;

/** The next call is answered well, over another connection than this one. */
async function expectAnother(connection: number | undefined): Promise<void> {
  presto.answer(({ socket }) => void socket.write(httpAnswer(200, '{"mine":1}')));
  expect(await exchange(sidecar, confirmCall("T2"))).toMatchObject({ status: 200, body: '{"mine":1}' });
  expect(presto.requests.at(-1)?.connection).not.toBe(connection);
}

describe("bytes that nothing asked for end their connection, and the log says so:", () => {
  it.each([
    ["a whole answer", foreign],
    ["a part of one", "HTTP/1.1 200"],
    ["an interim one", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["what is no HTTP", "\u0000\u0001"],
  ])("%s, while it is idle", async (_what, bytes) => {
    await exchange(sidecar, queryCall("T1"));
    await pause(30);
    const request = presto.requests.at(-1);
    request?.socket.write(bytes);
    await expect.poll(() => request?.socket.destroyed).toBe(true);
    expect(warnings()).toBe(1);
    await expectAnother(request?.connection);
  });

  it.each([
    ["a whole answer", foreign],
    ["what is no HTTP", "xx"],
  ])("%s, right behind an answer, which stands", async (_what, bytes) => {
    presto.answer(({ socket }) => void socket.write(httpAnswer(200) + bytes));
    expect(await exchange(sidecar, initCall())).toMatchObject({ status: 200, body: "{}" });
    const request = presto.requests.at(-1);
    await expect.poll(() => request?.socket.destroyed).toBe(true);
    await expect.poll(warnings).toBe(1);
    await expectAnother(request?.connection);
  });

  it("a whole answer, on one that was never used", async () => {
    presto.greet((socket) => void socket.write(foreign));
    const { connector } = await openWay({
      port: presto.port,
      caPem: presto.authority.certPem,
      clock: systemClock,
    });
    const told: string[] = [];
    const connections = createConnections({
      origin: { url: presto.url, host: "localhost", port: presto.port },
      connector,
      connections: 4,
      timeoutMs: 5_000,
      clock: systemClock,
      emit: ({ type }) => told.push(type),
    });
    onTestFinished(() => connections.destroy());
    connections.keepSpares(() => true);
    await expect.poll(() => told).toEqual(["unasked-bytes"]);
  });

  it("and they tell nothing of how long one may stand idle", async () => {
    await exchange(sidecar, queryCall("T1"));
    // Longer than half a second: a plain end now would make 700 ms the longest.
    await pause(700);
    const first = presto.requests.at(-1);
    first?.socket.write(foreign);
    await expect.poll(() => first?.socket.destroyed).toBe(true);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    await exchange(sidecar, confirmCall("T2"));
    await pause(500);
    const second = presto.requests.at(-1)?.connection;
    await exchange(sidecar, confirmCall("T3"));
    expect(presto.requests.at(-1)?.connection).toBe(second);
  });
});

it("a connection whose answer was for another transaction takes no other call", async () => {
  presto.answer(({ socket, requestLine }) => {
    if (requestLine.startsWith("POST")) socket.write(foreign);
    else socket.write(httpAnswer(200, '{"data":{"status":"pending"}}'));
  });
  const reply = await exchange(sidecar, confirmCall("T1"));
  expect(reply.status).toBe(502);
  expect(reply.headers["presto-outcome"]).toBe("unknown");
  const posted = presto.requests.find(({ requestLine }) => requestLine.startsWith("POST"));
  // What became of it is not asked there either.
  expect(presto.requests.at(-1)?.connection).not.toBe(posted?.connection);
  await expect.poll(() => posted?.socket.destroyed).toBe(true);
  await expectAnother(posted?.connection);
});
