import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { confirmCall, getCall, initCall, queryCall, walletPaths } from "../support/wallet-call.ts";

// Java's HttpClient asks for HTTP/2 in each request over plain HTTP, unless it is told not to.

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

const h2c = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB"];
const inChunks = [
  `POST ${walletPaths.init} HTTP/1.1`,
  "Host: localhost",
  "Transfer-Encoding: chunked",
  ...h2c,
  "",
  "2\r\n{}\r\n0\r\n\r\n",
].join("\r\n");

describe("a wish for HTTP/2 over plain HTTP is not heard, and the call is made:", () => {
  it.each([
    ["a query", queryCall("T1", ...h2c)],
    ["an init", initCall(...h2c)],
    ["an init in chunks", inChunks],
    ["a confirm", confirmCall("T1", ...h2c)],
    ["one in capital letters", queryCall("T1", "connection: upgrade", "upgrade: H2C")],
  ])("%s", async (_what, bytes) => {
    const before = presto.requests.length;
    const answer = await exchange(sidecar, bytes);
    expect(answer).toMatchObject({ status: 200, headers: { "presto-outcome": "answered" } });
    // What became of a confirm whose answer names no transaction is asked beside.
    const sent = presto.requests.slice(before);
    const [request] = sent;
    expect(sent.filter(({ requestLine }) => requestLine === request?.requestLine)).toHaveLength(1);
    for (const name of ["upgrade", "http2-settings"]) expect(request?.header(name)).toBeUndefined();
    expect(request?.header("connection")).not.toMatch(/upgrade|settings/i);
  });

  it("one that waits for a word before its body", async () => {
    const whole = initCall("Expect: 100-continue", ...h2c);
    const end = whole.indexOf("\r\n\r\n") + 4;
    const caller = await openRawCaller(sidecar);
    caller.send(whole.slice(0, end));
    await eventually(() => caller.received()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    caller.send(whole.slice(end));
    expect((await caller.answers(1))[0]?.status).toBe(200);
    caller.close();
  });

  it("the connection ends with the reply, since what came behind the wish may be lost", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(queryCall("T1", ...h2c));
    await caller.ended();
    expect((await caller.answers(1))[0]?.headers["connection"]).toBe("close");
  });
});

describe("refused stays", () => {
  it("what is refused without it", async () => {
    const before = presto.requests.length;
    expect((await exchange(sidecar, getCall("/nothing", ...h2c))).status).toBe(403);
    expect((await exchange(sidecar, queryCall("T1", "Origin: null", ...h2c))).status).toBe(403);
    expect(presto.requests).toHaveLength(before);
  });

  it.each(["websocket", "h2c, websocket", "h2", "TLS/1.0"])("a wish for %s", async (protocol) => {
    const answer = await exchange(sidecar, queryCall("T1", "Connection: Upgrade", `Upgrade: ${protocol}`));
    expectProblem(answer, {
      status: 400,
      code: "bad-request",
      proxyStatus: "http_request_error",
      outcome: "not-sent",
      retryable: false,
    });
  });
});
