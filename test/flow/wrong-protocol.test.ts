import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";

import { afterAll, beforeAll, expect, it } from "vitest";

import { systemCode } from "../../src/errors.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually } from "../support/sidecar-load.ts";
import { queryCall, walletPaths } from "../support/wallet-call.ts";

// Callers that speak something else than HTTP/1.1 in the clear are told so, as far as they can hear it.

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

const malformed = {
  status: 400,
  code: "bad-request",
  outcome: "not-sent",
  proxyStatus: "http_request_error",
  retryable: false,
} as const;

/** The log's words about the refusals from this one on. */
function wordsFrom(count: number): () => string {
  return () => JSON.stringify(callLines(sidecar).slice(count));
}

it("a client of TLS fails at once, and the log says that the scheme is wrong", async () => {
  const words = wordsFrom(callLines(sidecar).length);
  const client = connectTls({ host: "127.0.0.1", port: sidecar.port });
  const [error] = await once(client, "error");
  expect(systemCode(error)).toBe("ERR_SSL_WRONG_VERSION_NUMBER");
  await eventually(words).toContain("this is TLS, and this listener speaks plain HTTP/1.1");
  expect(words()).toContain('"code":"bad-request"');
});

it.each([
  ["in one piece", ["160301020001000001fc0303"]],
  ["of which the first byte comes alone", ["16", "0301020001000001fc0303"]],
])("what reads the reply to a hello %s is told to call by http://", async (_how, pieces) => {
  const caller = await openRawCaller(sidecar, { stubborn: true });
  for (const piece of pieces) caller.send(Buffer.from(piece, "hex"));
  const [answer] = await caller.answers(1);
  expect(JSON.stringify(expectProblem(answer, malformed))).toContain("http://");
  caller.close();
});

it("a client of HTTP/2 with prior knowledge fails at once, and the log says why", async () => {
  const words = wordsFrom(callLines(sidecar).length);
  const session = connectHttp2(`http://127.0.0.1:${sidecar.port}`);
  const failed = once(session, "error");
  const request = session.request({ ":method": "POST", ":path": walletPaths.confirm });
  request.on("error", () => {});
  request.end("{}");
  await failed;
  session.destroy();
  await eventually(words).toContain("this is HTTP/2, and this listener speaks HTTP/1.1");
  expect(presto.requests).toHaveLength(0);
});

it("what reads the reply to its preface is told to use HTTP/1.1", async () => {
  const caller = await openRawCaller(sidecar, { stubborn: true });
  caller.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const [answer] = await caller.answers(1);
  expect(JSON.stringify(expectProblem(answer, malformed))).toContain("this listener speaks HTTP/1.1");
  caller.close();
});

it("neither is taken for it in the middle of something else", async () => {
  const caller = await openRawCaller(sidecar);
  caller.send(`POST ${walletPaths.init} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
  caller.send(Buffer.from("160301", "hex"));
  const [answer] = await caller.answers(1);
  expectProblem(answer, malformed);
  expect(answer?.body).not.toContain("TLS");
  caller.close();
});

it("and behind a call that Presto has, it never answers for it", async () => {
  const caller = await openRawCaller(sidecar);
  caller.send(`${queryCall("T1")}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`);
  expect((await caller.answers(1)).map(({ status }) => status)).toEqual([200]);
  await caller.ended();
  expect(caller.received()).not.toContain("this is HTTP/2");
  caller.close();
});
