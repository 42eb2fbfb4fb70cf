import { afterEach, beforeEach, expect, it } from "vitest";

import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller, type RawCaller } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { getCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";

// Requests of which public reports of other proxies tell; each names its report.

let presto: RawPresto;
let sidecar: RunningSidecar;
let caller: RawCaller;

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem, env });
  caller = await openRawCaller(sidecar);
}

beforeEach(async () => {
  presto = await startRawPresto();
});
afterEach(async () => {
  caller.close();
  await sidecar.close();
  await presto.close();
});

const malformed = {
  status: 400,
  code: "bad-request",
  outcome: "not-sent",
  proxyStatus: "http_request_error",
  retryable: false,
} as const;

const post = (...lines: readonly string[]): string =>
  [`POST ${walletPaths.init} HTTP/1.1`, "Host: localhost", ...lines, "", ""].join("\r\n");

it("a query of 8,677 characters goes as it came (linkerd/linkerd2#4322)", async () => {
  await start();
  const target = `${walletPaths.transaction}/T1?q=${"a".repeat(8_675)}`;
  caller.send(getCall(target));
  expect((await caller.answers(1))[0]?.status).toBe(200);
  expect(presto.requests[0]?.requestLine).toBe(`GET ${target} HTTP/1.1`);
});

it("a head that is too large is told of on a kept connection, too (nodejs/node#37685)", async () => {
  await start();
  caller.send(queryCall("T1"));
  await caller.answers(1);
  caller.send(queryCall("T2", `X-A: ${"a".repeat(20_000)}`));
  const [, refused] = await caller.answers(2);
  expectProblem(refused, { ...malformed, status: 431, code: "headers-too-large" });
  await caller.ended();
  expect(presto.requests).toHaveLength(1);
});

it.each(["\x01", "\x1f", "\x7f"])(
  "a control character (%j) in a field is refused, and not found out by Presto (envoyproxy/envoy#7061)",
  async (character) => {
    await start();
    caller.send(queryCall("T1", `X-A: a${character}b`));
    expectProblem((await caller.answers(1))[0], malformed);
    expect(presto.requests).toHaveLength(0);
  },
);

it("chunks without a last one are no whole body (nodejs/llhttp#20)", async () => {
  await start();
  caller.send(`${post("Transfer-Encoding: chunked")}1\r\nx\r\n\r\n\r\n`);
  expectProblem((await caller.answers(1))[0], malformed);
  expect(presto.requests).toHaveLength(0);
});

it("a body behind Content-Length: 0 is none of the call, and answers for nothing (fastify/help#1025)", async () => {
  await start();
  caller.send(`${post("Content-Length: 0", "Content-Type: application/json")}{"username":"somebody"}`);
  await caller.ended();
  expect((await caller.answers(1)).map(({ status }) => status)).toEqual([200]);
  expect(presto.requests.map(({ body }) => body.length)).toEqual([0]);
});

it("a caller is told to go on once, whatever Presto sends (caddyserver/caddy#5280)", async () => {
  await start();
  presto.answer(({ socket }) => void socket.write(`HTTP/1.1 100 Continue\r\n\r\n${httpAnswer(200)}`));
  caller.send(post("Expect: 100-continue", "Content-Length: 2"));
  await eventually(() => caller.received()).toContain("100 Continue");
  caller.send("{}");
  await caller.answers(1);
  expect(caller.received().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 100", "HTTP/1.1 200"]);
});

it("an expectation in HTTP/1.0 is ignored (traefik/traefik#2899; RFC 9110 section 10.1.1)", async () => {
  await start();
  caller.send(`${post("Expect: 100-continue", "Content-Length: 2").replace("HTTP/1.1", "HTTP/1.0")}{}`);
  await caller.ended();
  expect(caller.received()).not.toContain("100 Continue");
  expect((await caller.answers(1))[0]?.status).toBe(200);
  expect(presto.requests[0]?.header("expect")).toBeUndefined();
});

it("a service's name with an underscore may be listed (microcks/microcks#1779)", async () => {
  await start({ PRESTO_HOSTS: "presto_sidecar" });
  caller.send(queryCall("T1").replace("Host: localhost", "Host: presto_sidecar:7380"));
  expect((await caller.answers(1))[0]?.status).toBe(200);
});

it("a Presto that stops reading a body costs its call the time of one (headroomlabs-ai/headroom#3259)", async () => {
  presto.greet((socket) => void socket.once("data", () => void socket.pause()));
  await start({ PRESTO_TIMEOUT: "3s", PRESTO_HOLD_MAX: "1s", PRESTO_MAX_BODY: "16MiB" });
  caller.send(postCall(walletPaths.init, "x".repeat(15_000_000)));
  expectProblem((await caller.answers(1))[0], {
    status: 504,
    code: "upstream-timeout",
    outcome: "unknown",
    proxyStatus: "http_response_timeout",
    retryable: true,
  });
  presto.greet(() => {});
  expect((await exchange(sidecar, queryCall("T1"))).status).toBe(200);
});
