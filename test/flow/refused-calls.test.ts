import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectProblem } from "../support/problem-reply.ts";
import type { ExpectedProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually } from "../support/sidecar-load.ts";
import { confirmCall, getCall, initCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_MAX_BODY: "1KiB" },
  });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

const refusal = (status: number, code: string, proxyStatus: string): ExpectedProblem => ({
  status,
  code,
  proxyStatus,
  outcome: "not-sent",
  retryable: false,
});
const badTarget = refusal(400, "bad-target", "http_request_error");
const badRequest = refusal(400, "bad-request", "http_request_error");
const browser = refusal(403, "browser-refused", "http_request_denied");
const notAllowed = refusal(403, "operation-not-allowed", "http_request_denied");
const wrongMethod = refusal(405, "method-not-allowed", "http_request_denied");
const tooLarge = refusal(413, "body-too-large", "http_request_error");
const wrongHost = refusal(421, "wrong-host", "http_request_denied");
const headTooLarge = refusal(431, "headers-too-large", "http_request_error");

const chunked = (body: string): string =>
  [
    `POST ${walletPaths.init} HTTP/1.1`,
    "Host: localhost",
    "Transfer-Encoding: chunked",
    "",
    body.length.toString(16),
    body,
    "0",
    "",
    "",
  ].join("\r\n");
const withHost = (host: string): string => `GET ${walletPaths.transaction}/T1 HTTP/1.1\r\n${host}\r\n`;

const rows: readonly (readonly [string, string, ExpectedProblem])[] = [
  ["a dot segment", getCall(`${walletPaths.transaction}/../x`), badTarget],
  ["a percent sign in the path", getCall(`${walletPaths.transaction}/%54`), badTarget],
  ["absolute form to another host", getCall("http://elsewhere.example/x"), badTarget],
  ["an asterisk", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", badTarget],
  ["CONNECT", "CONNECT presto.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", badTarget],
  ["no Host", withHost(""), badRequest],
  ["two Hosts", withHost("Host: localhost\r\nHost: localhost\r\n"), badRequest],
  ["a body on a GET", queryCall("T1", "Content-Length: 2") + "{}", badRequest],
  ["an Upgrade", queryCall("T1", "Connection: Upgrade", "Upgrade: websocket"), badRequest],
  ["two lengths", initCall("Content-Length: 3"), badRequest],
  ["a length and chunks", initCall("Transfer-Encoding: chunked"), badRequest],
  ["an expectation other than 100-continue", initCall("Expect: 200-ok"), badRequest],
  ["bytes that are not HTTP", "hello\r\n\r\n", badRequest],
  ["a TLS client", Buffer.from("160301020001000001fc0303", "hex").toString("latin1"), badRequest],
  ["a space before a colon", queryCall("T1", "X-A : b"), badRequest],
  ["a bad chunk", chunked("{}").replace("\r\n2\r\n", "\r\nzz\r\n"), badRequest],
  ["an Origin", queryCall("T1", "Origin: https://page.example"), browser],
  ["a cross-site page", queryCall("T1", "Sec-Fetch-Site: cross-site"), browser],
  ["an operation that is not in the table", getCall("/api/institutions/v1/statements"), notAllowed],
  ["auth/*", postCall("/api/institutions/v1/auth/token/issue", "{}"), notAllowed],
  ["the root", getCall("/"), notAllowed],
  ["GET for confirm", getCall(walletPaths.confirm), { ...wrongMethod, allow: "POST" }],
  ["an unheard-of method", initCall().replace("POST", "QUERY"), { ...wrongMethod, allow: "POST" }],
  ["a body too large by its length", postCall(walletPaths.init, "x".repeat(1025)), tooLarge],
  ["a body too large by its chunks", chunked("x".repeat(1025)), tooLarge],
  ["a foreign Host", withHost("Host: elsewhere.example\r\n"), wrongHost],
  ["a Host with a trailing dot", withHost("Host: localhost.\r\n"), wrongHost],
  ["a head of more than 16 KiB", queryCall("T1", `X-A: ${"a".repeat(17_000)}`), headTooLarge],
];

describe("nothing is sent, and the reply says why, for", () => {
  it.each(rows)("%s", async (_name, bytes, expected) => {
    const before = callLines(sidecar).length;
    const answer = await exchange(sidecar, bytes);
    expectProblem(answer, expected);
    expect(presto.requests).toHaveLength(0);
    await eventually(() => callLines(sidecar).length).toBe(before + 1);
    expect(callLines(sidecar).at(-1)).toMatchObject({
      outcome: "not-sent",
      status: expected.status,
      code: expected.code,
      sends: 0,
      request_id: answer.headers["x-request-id"],
    });
  });
});

describe("a path that is no operation is told which there are:", () => {
  const about = async (port: number, path: string): Promise<string> => {
    const answer = await exchange({ port }, getCall(path));
    expectProblem(answer, notAllowed);
    return JSON.parse(answer.body).detail;
  };

  it("all of them, where they are few", async () => {
    const detail = await about(sidecar.port, "/api/institutions/v1/wallet/confrm");
    expect(detail).toContain(
      `POST ${walletPaths.init}, POST ${walletPaths.confirm}, GET ${walletPaths.transaction}/`,
    );
    expect(detail).not.toContain("confrm");
  });

  it("the nearest, where they are many; and never a word of auth/*", async () => {
    const operations = Array.from({ length: 10 }, (_, index) => `GET /api/institutions/v1/part${index}/{id}`);
    const many = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env: { PRESTO_OPERATIONS: operations.join(",") },
    });
    const detail = await about(many.port, "/api/institutions/v1/prt7/12");
    expect(detail).toContain("The nearest that is allowed: GET /api/institutions/v1/part7/{id}.");
    expect(detail).not.toContain("part6");
    expect(await about(many.port, `/${"a".repeat(10_000)}`)).toContain("The nearest that is allowed: ");
    expect(await about(many.port, "/api/institutions/v1/auth/token/issue")).not.toContain("nearest");
    await many.close();
  });
});

describe("the limits are exact:", () => {
  it("a body of just the largest size is sent, by length and by chunks", async () => {
    const body = "x".repeat(1024);
    const before = presto.requests.length;
    expect((await exchange(sidecar, postCall(walletPaths.init, body))).status).toBe(200);
    expect((await exchange(sidecar, chunked(body))).status).toBe(200);
    expect(presto.requests.slice(before).map((request) => request.body.toString())).toEqual([body, body]);
  });
});

// RFC 9110 section 9.3.2: a reply to HEAD has no content, whatever it says.
describe("a reply to HEAD has no content", () => {
  const head = `HEAD ${walletPaths.transaction}/T1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;

  async function reply(bytes: string): Promise<string> {
    const caller = await openRawCaller(sidecar);
    caller.send(bytes);
    await caller.ended();
    return caller.received();
  }

  it("where it says 405", async () => {
    const [fields, content] = (await reply(`${head}\r\n`)).split("\r\n\r\n");
    expect(fields).toMatch(/^HTTP\/1\.1 405 [^]*\r\nAllow: GET/);
    expect(fields).toMatch(/\r\nPresto-Outcome: not-sent/);
    expect(content).toBe("");
  });

  it("where it refuses a body that is still on the way", async () => {
    const [fields, content] = (await reply(`${head}Content-Length: 10\r\n\r\n`)).split("\r\n\r\n");
    expect(fields).toMatch(/^HTTP\/1\.1 400 /);
    expect(content).toBe("");
  });
});

describe("a confirm", () => {
  it("that was refused may be sent again, where a call like it may", async () => {
    // What the caller may do depends on what was sent, not on what the call would have done.
    const silent = await startSidecar({
      url: "https://localhost:1",
      caPem: presto.authority.certPem,
    });
    expectProblem(await exchange(silent, confirmCall("T1")), {
      status: 502,
      code: "upstream-unreachable",
      outcome: "not-sent",
      proxyStatus: "connection_refused",
      retryable: true,
    });
    await silent.close();
  });
});
