import { setImmediate as nextTurn } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { confirmCall } from "../support/wallet-call.ts";

// Answers that public reports of proxies and clients tell of. What can be read in one way alone is
// passed on; whatever else came leaves a payment unknown. Either way it was sent once, and nothing of
// the answer is left over for the next payment.

let presto: RawPresto;
let sidecar: RunningSidecar;
let calls = 0;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

const json = "Content-Type: application/json";
const head = (...lines: readonly string[]): string => [...lines, "", ""].join("\r\n");
const ok = "HTTP/1.1 200 OK";
const plain = `${head(ok, json, "Content-Length: 2")}{}`;

/** Confirms once with this answer, then once more with a good one; says what the first came to. */
async function confirm(answer: (socket: WireRequest["socket"]) => unknown): Promise<WireAnswer> {
  calls += 1;
  const [odd, next] = [`ODD-${calls}`, `NEXT-${calls}`];
  presto.answer(({ body, requestLine, socket }) => {
    if (requestLine.startsWith("GET")) socket.write(httpAnswer(200, '{"data":{"status":"pending"}}'));
    else if (body.includes(odd)) void answer(socket);
    else socket.write(httpAnswer(201, `{"for":"${next}"}`));
  });
  const first = await exchange(sidecar, confirmCall(odd));
  expect(await exchange(sidecar, confirmCall(next))).toMatchObject({
    status: 201,
    body: `{"for":"${next}"}`,
  });
  for (const reference of [odd, next])
    expect(presto.requests.filter(({ body }) => body.includes(reference))).toHaveLength(1);
  return first;
}

describe("an answer that two readers could read in two ways leaves the payment unknown:", () => {
  it.each([
    ["a status of three zeros", plain.replace("200 OK", "000 X")],
    ["a status below 100", plain.replace("200 OK", "099 X")],
    ["a status of four digits", plain.replace("200 OK", "2000 OK")],
    ["another version of HTTP", plain.replace("HTTP/1.1 200 OK", "HTTP/2 200")],
    ["line ends without a carriage return", plain.replaceAll("\r\n", "\n")],
    ["a folded field", plain.replace(json, `X-A: a\r\n b\r\n${json}`)],
    ["a space before a colon", plain.replace(json, `X-A : a\r\n${json}`)],
    ["a field without a name", plain.replace(json, `: a\r\n${json}`)],
    ["a NUL in a field", plain.replace(json, `X-A: a\0b\r\n${json}`)],
    ["two equal lengths", plain.replace(json, `Content-Length: 2\r\n${json}`)],
    ["a length with a sign", plain.replace("h: 2", "h: +2")],
    ["a length with more behind it", plain.replace("h: 2", "h: 2;x")],
    [
      "chunks beside a length",
      `${head(ok, "Content-Length: 2", "Transfer-Encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      "a chunk of more bytes than there are",
      `${head(ok, "Transfer-Encoding: chunked")}${"f".repeat(17)}\r\n{}`,
    ],
    [
      "spaces behind a chunk's size (nodejs/undici#2678)",
      `${head(ok, "Transfer-Encoding: chunked")}2  \r\n{}\r\n0  \r\n\r\n`,
    ],
    [
      "a chunk's size with a prefix (oven-sh/bun#34918)",
      `${head(ok, "Transfer-Encoding: chunked")}0x2\r\n{}\r\n0\r\n\r\n`,
    ],
    ["a space in a field's name (envoyproxy/envoy#23461)", plain.replace(json, `Set Cookie: a=b\r\n${json}`)],
    ["two spaces in the status line (nodejs/llhttp#217)", plain.replace("HTTP/1.1 200", "HTTP/1.1  200")],
    [
      "a switch of protocols that nobody asked for",
      head("HTTP/1.1 101 X", "Upgrade: x", "Connection: upgrade"),
    ],
  ])("%s", async (_what, bytes) => {
    const { status, headers, body } = await confirm((socket) => socket.write(Buffer.from(bytes, "latin1")));
    expect({ status, outcome: headers["presto-outcome"] }).toEqual({ status: 502, outcome: "unknown" });
    expect(JSON.parse(body)).toMatchObject({ retryable: false, transaction: { status: "pending" } });
  });
});

describe("an answer that is odd and clear is passed on:", () => {
  it.each([
    ["a status line without a reason", plain.replace(" OK", ""), 200, "{}"],
    ["empty lines before the status line", `\r\n\r\n${plain}`, 200, "{}"],
    ["a status that nobody knows", plain.replace("200", "999"), 999, "{}"],
    [
      "a head of 20 KB",
      plain.replace(json, `Content-Security-Policy: ${"a".repeat(20_000)}\r\n${json}`),
      200,
      "{}",
    ],
    ["2,900 fields", plain.replace(json, `${"a:1\r\n".repeat(2_900)}${json}`), 200, "{}"],
    [
      "names that objects have by themselves",
      plain.replace(json, `__proto__: a\r\nconstructor: b\r\n${json}`),
      200,
      "{}",
    ],
    [
      "a million bytes of chunk extension",
      `${head(ok, "Transfer-Encoding: chunked")}2;${"a".repeat(1_000_000)}\r\n{}\r\n0\r\n\r\n`,
      200,
      "{}",
    ],
    [
      "a field in UTF-8 (fastify/fastify-http-proxy#343)",
      plain.replace(json, `X-A: \u00e9eek \u4e2d\r\n${json}`),
      200,
      "{}",
    ],
    ["a reason that is no ASCII (mitmproxy/mitmproxy#784)", plain.replace("OK", "Accept\u00e9"), 200, "{}"],
    [
      "a 304 with the length of what it leaves out (spaze/michalspacek.cz#16)",
      head("HTTP/1.1 304 X", "Content-Length: 120"),
      304,
      "",
    ],
    ["bytes beyond its length", `${plain}{"more":1}`, 200, "{}"],
    [
      "a second answer behind it",
      `${plain}${httpAnswer(200, '{"data":{"transaction_reference":"OTHER"}}')}`,
      200,
      "{}",
    ],
    ["content behind a 204", `${head("HTTP/1.1 204 X", "Content-Length: 5")}hello`, 204, ""],
    [
      "chunks behind a 204",
      `${head("HTTP/1.1 204 X", "Transfer-Encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`,
      204,
      "",
    ],
    [
      "a time to keep the connection of none",
      plain.replace(json, `Keep-Alive: timeout=0\r\n${json}`),
      200,
      "{}",
    ],
    [
      "a time to keep the connection that is nonsense",
      plain.replace(json, `Keep-Alive: timeout=-5, max=${"9".repeat(40)}\r\n${json}`),
      200,
      "{}",
    ],
    ["a million brackets", httpAnswer(200, "[".repeat(1_000_000)), 200, "[".repeat(1_000_000)],
  ])("%s", async (_what, bytes, status, body) => {
    const answer = await confirm((socket) => socket.write(bytes));
    expect(answer).toMatchObject({ status, headers: { "presto-outcome": "answered" } });
    expect(answer.body === body).toBe(true);
  });

  it("a byte at a time", async () => {
    const answer = await confirm(async (socket) => {
      for (const byte of plain) {
        socket.write(byte);
        await nextTurn();
      }
    });
    expect(answer).toMatchObject({ status: 200, body: "{}", headers: { "presto-outcome": "answered" } });
  });
});
