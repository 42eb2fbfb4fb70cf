import { gzipSync } from "node:zlib";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { createSandbox } from "../../src/sandbox/server.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { expectProblem } from "../support/problem-reply.ts";
import type { ExpectedProblem } from "../support/problem-reply.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar, SidecarOptions } from "../support/running-sidecar.ts";
import { callLines, eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { confirmCall, initCall, postCall, walletPaths } from "../support/wallet-call.ts";

let presto: RawPresto;
const running: RunningSidecar[] = [];

beforeAll(async () => {
  presto = await startRawPresto();
});
afterAll(() => presto.close());
afterEach(async () => {
  for (const sidecar of running.splice(0)) await sidecar.close();
});

async function sidecar(options: Partial<SidecarOptions> = {}): Promise<RunningSidecar> {
  const started = await startSidecar({ url: presto.url, caPem: presto.authority.certPem, ...options });
  running.push(started);
  return started;
}

const broken = (reference: string, status: string): ExpectedProblem => ({
  status: 502,
  code: "upstream-broken",
  outcome: "unknown",
  proxyStatus: "http_response_incomplete",
  retryable: false,
  transaction: { reference, status },
});
const late = (reference: string, status: string): ExpectedProblem => ({
  ...broken(reference, status),
  status: 504,
  code: "upstream-timeout",
  proxyStatus: "http_response_timeout",
});

/** Cuts every POST; answers a GET like this. */
function cutThen(answer: (request: WireRequest) => void): void {
  presto.answer((request) => {
    if (request.requestLine.startsWith("POST")) request.socket.destroy();
    else answer(request);
  });
}

function says(status: number, body: string): (request: WireRequest) => void {
  return ({ socket }) => void socket.write(httpAnswer(status, body));
}

describe("a confirm whose answer was lost tells what Presto says of the transaction:", () => {
  let sandbox: Sandbox;
  let side: RunningSidecar;

  beforeAll(async () => {
    sandbox = createSandbox();
    await sandbox.start();
    side = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      // A tenth of it is kept back for the question.
      env: { PRESTO_TOKEN: sandbox.token, PRESTO_TIMEOUT: "6s" },
    });
  });
  afterEach(() => sandbox.clearFaults());
  afterAll(async () => {
    await side.close();
    await sandbox.close();
  });

  async function begun(): Promise<string> {
    const { body } = await exchange(side, initCall());
    return String(JSON.parse(body).data.transaction_reference);
  }

  it("completed, where it acted", async () => {
    const reference = await begun();
    sandbox.setFault({ kind: "reset-after-acting", path: walletPaths.confirm });
    expectProblem(await exchange(side, confirmCall(reference)), {
      ...broken(reference, "completed"),
      proxyStatus: "connection_terminated",
    });
    expect(sandbox.state().confirms[reference]).toBe(1);
  });

  it("pending, where it did not act", async () => {
    const reference = await begun();
    sandbox.setFault({ kind: "reset-before-acting", path: walletPaths.confirm });
    expectProblem(await exchange(side, confirmCall(reference)), {
      ...broken(reference, "pending"),
      proxyStatus: "connection_terminated",
    });
    expect(sandbox.state().confirms[reference]).toBeUndefined();
  });

  it("pending, where it has not acted when time is over, within PRESTO_TIMEOUT", async () => {
    const reference = await begun();
    const held = sandbox.setFault({ kind: "hold", path: walletPaths.confirm });
    const startedAt = performance.now();
    expectProblem(await exchange(side, confirmCall(reference)), late(reference, "pending"));
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    held.remove();
    // It acts after all, once: nobody sent it again.
    await eventually(() => sandbox.state().confirms[reference]).toBe(1);
  });
});

const sayings: readonly (readonly [string, (request: WireRequest) => void, string])[] = [
  ["failed", says(200, '{"data":{"status":"failed"}}'), "failed"],
  ["a status of another name", says(200, '{"data":{"status":"refunded"}}'), "not-known"],
  ["no status", says(200, '{"data":{}}'), "not-known"],
  ["no JSON", says(200, "<html>completed</html>"), "not-known"],
  ["not found", says(404, '{"message":"Transaction not found"}'), "not-known"],
  ["an error that looks like an answer", says(500, '{"data":{"status":"completed"}}'), "not-known"],
  ["a cut", ({ socket }) => void socket.destroy(), "not-known"],
];

describe("what Presto says is taken as it is:", () => {
  it.each(sayings)("%s", async (_name, answer, status) => {
    cutThen(answer);
    const side = await sidecar();
    expectProblem(await exchange(side, confirmCall("T-1")), broken("T-1", status));
    await eventually(() => loadOf(side)).toEqual(noLoad);
  });
});

describe("the question", () => {
  it("is not asked about a reference that can't stand in a path, nor is the confirm sent again", async () => {
    cutThen(says(200, '{"data":{"status":"completed"}}'));
    const side = await sidecar();
    for (const body of [
      '{"transaction_reference":"a/b"}',
      '{"transaction_reference":"..%2f"}',
      "[]",
      "x",
      '{"transaction_reference":".."}',
    ]) {
      const before = presto.requests.length;
      const { transaction: _none, ...expected } = broken("", "");
      expectProblem(await exchange(side, postCall(walletPaths.confirm, body)), expected);
      expect(presto.requests.length - before).toBe(1);
    }
  });

  it("is never asked about a call that moves nothing", async () => {
    cutThen(says(200, '{"data":{"status":"completed"}}'));
    const before = presto.requests.length;
    const { transaction: _none, ...expected } = broken("", "");
    const call = initCall().replace('"currency"', '"transaction_reference":"T1","currency"');
    const longer = call.replace(
      /Content-Length: \d+/,
      `Content-Length: ${call.split("\r\n\r\n")[1]?.length}`,
    );
    expectProblem(await exchange(await sidecar(), longer), { ...expected, retryable: true });
    expect(presto.requests.length - before).toBe(1);
  });

  it("that gets no answer leaves not-known, within PRESTO_TIMEOUT", async () => {
    presto.answer(() => {});
    const side = await sidecar({ env: { PRESTO_TIMEOUT: "4s" } });
    const startedAt = performance.now();
    expectProblem(await exchange(side, confirmCall("T-1")), late("T-1", "not-known"));
    expect(performance.now() - startedAt).toBeLessThan(4_000 * 1.7);
    await eventually(() => callLines(side).length).toBe(1);
    expect(callLines(side)[0]).not.toHaveProperty("caller_gone");
  });

  it("may take its time to the end, and the caller is still told, with the time-outs that are the defaults", async () => {
    presto.answer(() => {});
    const side = await sidecar({ clock: createFastClock(5) });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => exchange(side, confirmCall(`T-${index}`))),
    );
    for (const [index, answer] of answers.entries()) expectProblem(answer, late(`T-${index}`, "not-known"));
  });

  it("is asked with the token of the moment", async () => {
    cutThen(says(200, '{"data":{"status":"completed"}}'));
    await exchange(await sidecar(), confirmCall("T-1"));
    expect(presto.requests.at(-1)?.requestLine).toBe(`GET ${walletPaths.transaction}/T-1 HTTP/1.1`);
    expect(presto.requests.at(-1)?.header("authorization")).toBe("Bearer token-of-the-tests");
    expect(presto.requests.at(-1)?.header("content-length")).toBeUndefined();
  });
});

describe("a success that is about another transaction is not the call's:", () => {
  const success = (reference: string): string =>
    JSON.stringify({ data: { transaction_reference: reference } });
  /** Answers each confirm with this, and each question with `completed`. */
  function confirmsWith(status: number, body: string): void {
    presto.answer(({ requestLine, socket }) => {
      if (requestLine.startsWith("POST")) socket.write(httpAnswer(status, body));
      else socket.write(httpAnswer(200, '{"data":{"status":"completed"}}'));
    });
  }

  it.each([success("OTHER-7"), '{"transaction_reference":"OTHER-7"}'])("%s", async (body) => {
    confirmsWith(200, body);
    const side = await sidecar();
    const answer = await exchange(side, confirmCall("T1"));
    expectProblem(answer, { ...broken("T1", "completed"), proxyStatus: "http_protocol_error" });
    expect(answer.body).not.toContain("OTHER-7");
    await eventually(() => callLines(side)).toMatchObject([
      { level: "error", outcome: "unknown", code: "upstream-broken" },
    ]);
  });

  it.each([
    ["its own", 200, success("T1")],
    ["its own, spelt by another hand", 201, success(" t1 ")],
    ["none that can be read", 200, "<h1>OK</h1>"],
    ["none", 200, '{"data":{}}'],
    ["a number", 200, '{"data":{"transaction_reference":2}}'],
    ["another, in a refusal", 422, success("OTHER-7")],
  ])("but one with %s is passed on", async (_what, status, body) => {
    confirmsWith(status, body);
    const answer = await exchange(await sidecar(), confirmCall("T1"));
    expect(answer).toMatchObject({ status, body, headers: { "presto-outcome": "answered" } });
  });

  it("behind a content coding, too", async () => {
    presto.answer(({ requestLine, socket }) => {
      if (requestLine.startsWith("GET")) {
        socket.write(httpAnswer(200, '{"data":{"status":"completed"}}'));
        return;
      }
      const packed = gzipSync(success("OTHER-7"));
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`);
      socket.write(packed);
    });
    expectProblem(await exchange(await sidecar(), confirmCall("T1")), {
      ...broken("T1", "completed"),
      proxyStatus: "http_protocol_error",
    });
  });

  it("nor does one settle what became of a lost confirm", async () => {
    cutThen(says(200, '{"data":{"transaction_reference":"OTHER-7","status":"completed"}}'));
    expectProblem(await exchange(await sidecar(), confirmCall("T1")), broken("T1", "not-known"));
    cutThen(says(200, '{"data":{"transaction_reference":"T1","status":"completed"}}'));
    expectProblem(await exchange(await sidecar(), confirmCall("T1")), broken("T1", "completed"));
  });

  it("nor is it looked for in the answer to an init", async () => {
    confirmsWith(200, success("OTHER-7"));
    expect((await exchange(await sidecar(), initCall())).status).toBe(200);
  });
});

describe("a configured operation", () => {
  const env = {
    PRESTO_OPERATIONS: "POST /payouts;moves;reference=payout;ask=/payouts/{reference},POST /quotes;prepares",
  };

  it("that moves money and says how to ask is asked about", async () => {
    cutThen(says(200, '{"data":{"status":"failed"}}'));
    const before = presto.requests.length;
    const answer = await exchange(await sidecar({ env }), postCall("/payouts", '{"payout":"P-1"}'));
    expectProblem(answer, broken("P-1", "failed"));
    expect(presto.requests.slice(before).map(({ requestLine }) => requestLine)).toEqual([
      "POST /payouts HTTP/1.1",
      "GET /payouts/P-1 HTTP/1.1",
    ]);
  });

  it("that only prepares may be tried again", async () => {
    cutThen(says(500, ""));
    const answer = await exchange(await sidecar({ env }), postCall("/quotes", "{}"));
    const { transaction: _, ...problem } = broken("", "");
    expectProblem(answer, { ...problem, retryable: true });
  });
});
