import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { httpAnswer } from "../support/raw-presto.ts";
import type { WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { confirmCall, initCall, queryCall, walletPaths } from "../support/wallet-call.ts";

let presto: HeldPresto;
let sidecar: RunningSidecar;
/** Time enough for a call to be sent by a busy machine. */
const timeoutMs = 1_500;

beforeAll(async () => {
  presto = await startHeldPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_TIMEOUT: `${timeoutMs}ms` },
  });
});
afterEach(() => {
  presto.waiting.length = 0;
});
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

/** Does it, and sees that it took as long as PRESTO_TIMEOUT. Without its end it would go on until the test's own. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work;
  expect(performance.now() - startedAt).toBeGreaterThan(timeoutMs * 0.85);
  return result;
}

const late = {
  status: 504,
  code: "upstream-timeout",
  outcome: "unknown",
  proxyStatus: "http_response_timeout",
  retryable: true,
} as const;
const slow = {
  status: 408,
  code: "request-timeout",
  outcome: "not-sent",
  proxyStatus: "http_request_error",
  retryable: true,
} as const;

/** Writes a piece again and again until the connection has gone. */
function trickle(socket: WireRequest["socket"], piece: string): void {
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(piece);
  }, 50);
}

describe("PRESTO_TIMEOUT ends a call", () => {
  it.each([
    ["no answer", () => {}],
    [
      "a head that trickles",
      ({ socket }: WireRequest) => {
        socket.write("HTTP/1.1 200 OK\r\n");
        trickle(socket, "X-A: b\r\n");
      },
    ],
    [
      "a body that trickles",
      ({ socket }: WireRequest) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        trickle(socket, "x");
      },
    ],
    [
      // envoyproxy/ai-gateway#1091.
      "a length that is one byte more than what comes",
      ({ socket }: WireRequest) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"),
    ],
    ["interim answers without end", ({ socket }: WireRequest) => trickle(socket, "HTTP/1.1 103 X\r\n\r\n")],
  ])("that gets %s, once sent", async (_name, script) => {
    presto.answer(script);
    expectProblem(await inTime(exchange(sidecar, initCall())), late);
    // The connection to Presto is given up, so nothing of that answer can reach the next call.
    presto.answer(({ socket }) => void socket.write(httpAnswer(200, '{"next":1}')));
    expect((await exchange(sidecar, queryCall("T1"))).body).toBe('{"next":1}');
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("a large answer that trickles is cut, after its head went out", async () => {
    presto.answer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n${"x".repeat(2_000_000)}`);
      trickle(socket, "x");
    });
    const caller = await openRawCaller(sidecar);
    caller.send(queryCall("T1"));
    await inTime(caller.ended());
    expect(caller.received()).toMatch(/^HTTP\/1\.1 200 /);
    expect(caller.received().length).toBeLessThan(9_000_000);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("of a caller that does not read, however large what it asked for", async () => {
    // More than the kernel takes of what the other side does not read.
    const [large, small] = [httpAnswer(200, "x".repeat(40_000_000)), httpAnswer(200, "x".repeat(1_000_000))];
    presto.answer(({ socket, requestLine }) => {
      socket.on("error", () => {});
      socket.write(requestLine.includes("LARGE") ? large : small);
    });
    // What is large takes a busy machine a while.
    const patient = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env: { PRESTO_TIMEOUT: "4s" },
    });
    onTestFinished(() => patient.close());
    for (const calls of [queryCall("LARGE"), queryCall("T1").repeat(16)]) {
      const caller = await openRawCaller(patient);
      caller.socket.pause();
      await inTime(heldUntilCut(caller, calls, patient));
      caller.socket.resume();
      await caller.ended();
      expect(caller.received()).toMatch(/^HTTP\/1\.1 200 /);
      expect(caller.received().length).toBeLessThan(16_000_000);
      caller.close();
    }
  });
});

async function heldUntilCut(caller: RawCaller, calls: string, by: RunningSidecar): Promise<void> {
  caller.send(calls);
  await eventually(async () => (await loadOf(by)).buffered).toBeGreaterThan(0);
  await eventually(() => loadOf(by)).toEqual(noLoad);
}

describe("a caller that is too slow to send gets 408, not sent:", () => {
  it("in the head", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send("GET /");
    const [answer] = await inTime(caller.answers(1));
    expectProblem(answer, slow);
    await caller.ended();
    caller.close();
  });

  it.each([
    ["init", initCall],
    ["confirm", () => confirmCall("T1")],
  ])("in the body of %s", async (_name, call) => {
    const before = presto.requests.length;
    const caller = await openRawCaller(sidecar);
    caller.send(call().slice(0, -1));
    const [answer] = await inTime(caller.answers(1));
    expectProblem(answer, slow);
    expect(answer?.headers["connection"]).toBe("close");
    caller.close();
    expect(presto.requests.length).toBe(before);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("in chunks that trickle", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(`POST ${walletPaths.init} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const timer = setInterval(() => caller.send("1\r\nx\r\n"), 50);
    const [answer] = await inTime(caller.answers(1));
    clearInterval(timer);
    expectProblem(answer, slow);
    caller.close();
    await eventually(() => callLines(sidecar).at(-1)).toMatchObject({ code: "request-timeout", sends: 0 });
  });

  it("a second head that never ends does not answer for the call before it", async () => {
    const caller = await openRawCaller(sidecar);
    presto.answer(() => {});
    caller.send(`${confirmCall("T1")}GET /`);
    const [answer] = await inTime(caller.answers(1));
    expect(answer?.status).toBe(504);
    expect(answer?.headers["presto-outcome"]).toBe("unknown");
    caller.close();
  });
});

describe("time that runs out before a turn came", () => {
  it("is 503 overloaded, not sent", async () => {
    const narrow = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env: { PRESTO_TIMEOUT: "6s", PRESTO_MAX_IN_FLIGHT: "1" },
    });
    // All connections stand before the time counts.
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    await exchange(narrow, queryCall("T1"));
    const [first, second] = [await openRawCaller(narrow), await openRawCaller(narrow)];
    presto.answer((request) => void presto.waiting.push(request));
    first.send(queryCall("FIRST"));
    await eventually(() => presto.waiting.some(({ requestLine }) => requestLine.includes("FIRST"))).toBe(
      true,
    );
    // A tenth of a money call's time is kept back for a question: begun up to 0.6 s after the first, it has none when its turn comes.
    second.send(confirmCall("SECOND"));
    expectProblem((await second.answers(1))[0], {
      status: 503,
      code: "overloaded",
      outcome: "not-sent",
      proxyStatus: "connection_limit_reached",
      retryable: true,
      retryAfter: true,
    });
    // Questions about calls before this test may come meanwhile.
    expect(presto.waiting.filter(({ requestLine }) => requestLine.startsWith("POST "))).toEqual([]);
    first.close();
    second.close();
    await eventually(() => loadOf(narrow)).toEqual(noLoad);
    await narrow.close();
  });
});
