import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { readStrictly } from "../support/strict-wire.ts";

// No request reaches Presto that the sidecar did not judge and answer: whatever bytes a caller
// sends, what comes out on the other side, read by the narrowest rules, is exactly what was
// accepted. Each malformed head or body here carries a payment, in the place where a parser that
// disagrees would find one.

const wallet = "/api/institutions/v1/wallet";
const hidden = `POST ${wallet}/confirm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n"hidden"`;
let presto: RawPresto;
let sidecar: RunningSidecar;
let sentinels = 0;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

/** Bodies of the requests that Presto has seen so far, but for the sentinels'. */
function seen(): string[] {
  return presto
    .wire()
    .flatMap(readStrictly)
    .filter(({ target }) => !target.includes("sentinel"))
    .map(({ method, target, body }) =>
      `${method} ${target.replace(wallet, "")} ${body.toString("latin1")}`.trim(),
    );
}

/** What came before it on other connections has been read by the time that it is answered. */
async function passSentinel(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    sentinels += 1;
    const target = `${wallet}/transaction/sentinel-${sentinels}`;
    expect((await exchange(sidecar, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).status).toBe(200);
  }
}

/** Sends the bytes and answers the statuses that came back, and what Presto saw. */
async function send(
  bytes: string,
): Promise<{ statuses: number[]; sent: string[]; outcomes: (string | undefined)[] }> {
  const before = seen().length;
  const caller = await openRawCaller(sidecar, { stubborn: true });
  caller.send(Buffer.from(bytes, "latin1"));
  await caller.answers(1);
  await passSentinel();
  const answers = await caller.answers(1);
  caller.close();
  return {
    statuses: answers.map(({ status }) => status),
    outcomes: answers.map(({ headers }) => headers["presto-outcome"]),
    sent: seen().slice(before),
  };
}

const post = (...lines: readonly string[]): string =>
  [`POST ${wallet}/init HTTP/1.1`, "Host: localhost", ...lines, "", ""].join("\r\n");
const chunked = (body: string): string => `${post("Transfer-Encoding: chunked")}${body}`;
/** A chunked body that is empty, then the payment: nobody who reads a length sees the payment. */
const behindChunks = `0\r\n\r\n${hidden}`;
const length = `Content-Length: ${behindChunks.length}`;

describe("a request whose end can be read in two ways is refused", () => {
  it.each([
    [length, "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", length],
    ["Transfer-Encoding: chunked", "Content-Length: 0"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked, chunked"],
    ["Transfer-Encoding: chunked, identity"],
    ["Transfer-Encoding: identity, chunked"],
    ["Transfer-Encoding: gzip, chunked"],
    ["Transfer-Encoding: identity"],
    ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding: chunkedx"],
    ["Transfer-Encoding: chunked;q=1"],
    ['Transfer-Encoding: "chunked"'],
    ["Transfer-Encoding: chunked,"],
    ["Transfer-Encoding: ,chunked"],
    ["Transfer-Encoding:"],
    ["Transfer-Encoding: \x0bchunked"],
    ["Transfer-Encoding: chunked\0"],
    ["Transfer-Encoding: chun\r\n ked"],
    ["Transfer-Encoding:\r\n chunked"],
    ["Transfer-Encoding : chunked"],
    ["Transfer-Encoding\t: chunked"],
    [" Transfer-Encoding: chunked"],
    ["X: y\rTransfer-Encoding: chunked"],
    ["X: y\nTransfer-Encoding: chunked"],
    [length, "Transfer-Encoding: x", "Connection: Transfer-Encoding"],
    ["Content-Length: 5", length],
    [length, length],
    [`Content-Length: ${behindChunks.length}, ${behindChunks.length}`],
    ["Content-Length: 5,5"],
    ["Content-Length: +5"],
    ["Content-Length: -5"],
    ["Content-Length: 0x5"],
    ["Content-Length: 5 5"],
    ["Content-Length: 5;"],
    ["Content-Length: 5.0"],
    ["Content-Length: 1e1"],
    ["Content-Length: five"],
    ["Content-Length:"],
    ["Content-Length: 99999999999999999999999"],
    ["Content-Length: 18446744073709551621"],
    ["Content-Length : 5"],
    ["Content-Length: 5\x0b"],
    ["Content-Length:\r\n 5"],
  ])("%j %j", async (...lines) => {
    const { statuses, sent, outcomes } = await send(`${post(...lines)}${behindChunks}`);
    expect({ statuses, sent, outcomes }).toEqual({ statuses: [400], sent: [], outcomes: ["not-sent"] });
  });

  it.each([
    ["a sign", `+2\r\n{}\r\n${behindChunks}`],
    ["a minus", `-2\r\n{}\r\n${behindChunks}`],
    ["a prefix", `0x2\r\n{}\r\n${behindChunks}`],
    ["a space before", ` 2\r\n{}\r\n${behindChunks}`],
    ["an underscore", `2_0\r\n{}\r\n${behindChunks}`],
    ["no digit", `\r\n{}\r\n${behindChunks}`],
    ["a letter beyond f", `g\r\n{}\r\n${behindChunks}`],
    ["more than 64 bits", `ffffffffffffffffff\r\n{}\r\n${behindChunks}`],
    ["2^64 and 2", `10000000000000002\r\n{}\r\n${behindChunks}`],
    ["a bare line feed", `2\n{}\r\n${behindChunks}`],
    ["a bare carriage return", `2\r{}\r\n${behindChunks}`],
    ["an extension with a bare line feed", `2;a=b\n{}\r\n${behindChunks}`],
    ["an extension with a bare carriage return", `2;a\rb\r\n{}\r\n${behindChunks}`],
    ["an extension with a NUL", `2;a=\0\r\n{}\r\n${behindChunks}`],
    ["more data than it says", `2\r\n{}{}\r\n${behindChunks}`],
    ["no line end after its data", `2\r\n{}${behindChunks}`],
    ["a bare line feed after its data", `2\r\n{}\n${behindChunks}`],
    ["a length in its trailer", `2\r\n{}\r\n0\r\nContent-Length: 90\r\n\r\n${hidden}`],
    ["a coding in its trailer", `2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n${hidden}`],
    ["a flood of extensions", `2;${"a=b;".repeat(20_000)}\r\n{}\r\n${behindChunks}`],
  ])("a chunk with %s", async (_what, body) => {
    const { statuses, sent, outcomes } = await send(chunked(body));
    expect(sent).toEqual([]);
    expect(outcomes).toEqual(["not-sent"]);
    expect([400, 413]).toContain(statuses[0]);
  });
});

describe("a head that is no plain HTTP/1.1 is refused", () => {
  const line = `POST ${wallet}/init HTTP/1.1`;
  const rest = `Host: localhost\r\nContent-Length: 2\r\n\r\n{}`;
  it.each([
    ["a bare line feed at its line ends", `${line}\nHost: localhost\nContent-Length: 2\n\n{}`],
    ["a bare line feed after the request line", `${line}\n${rest}`],
    ["a bare carriage return in a value", `${line}\r\nX: a\rb\r\n${rest}`],
    ["a NUL in a value", `${line}\r\nX: a\0b\r\n${rest}`],
    ["a NUL in a name", `${line}\r\nX\0Y: a\r\n${rest}`],
    ["a space in a name", `${line}\r\nX Y: a\r\n${rest}`],
    ["a space before the colon", `${line}\r\nX : a\r\n${rest}`],
    ["no name", `${line}\r\n: a\r\n${rest}`],
    ["no colon", `${line}\r\nXY\r\n${rest}`],
    ["an at sign in a name", `${line}\r\nX@Y: a\r\n${rest}`],
    ["a folded value", `${line}\r\nX: a\r\n b\r\n${rest}`],
    ["a folded Host", `${line}\r\nHost:\r\n localhost\r\nContent-Length: 2\r\n\r\n{}`],
    ["a first field that is folded", `${line}\r\n X: a\r\n${rest}`],
    ["a tab in the request line", `POST\t${wallet}/init HTTP/1.1\r\n${rest}`],
    ["a space in the target", `POST ${wallet}/init x HTTP/1.1\r\n${rest}`],
    ["a space before the method", ` ${line}\r\n${rest}`],
    ["a space after the version", `${line} \r\n${rest}`],
    ["no version", `POST ${wallet}/init\r\n${rest}`],
    ["version 2.0", `POST ${wallet}/init HTTP/2.0\r\n${rest}`],
    ["version 1.2", `POST ${wallet}/init HTTP/1.2\r\n${rest}`],
    ["version 3.0", `POST ${wallet}/init HTTP/3.0\r\n${rest}`],
    ["a version in lower case", `POST ${wallet}/init http/1.1\r\n${rest}`],
    ["another protocol", `POST ${wallet}/init ICE/1.0\r\n${rest}`],
    ["an unknown method", `PAY ${wallet}/init HTTP/1.1\r\n${rest}`],
    ["a wish for a websocket", `${line}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${rest}`],
    [
      "a second Host after 2,500 fields",
      `${line}\r\nHost: localhost\r\n${"a:1\r\n".repeat(2_500)}Host: localhost\r\nContent-Length: 2\r\n\r\n{}`,
    ],
    [
      "a second length after 2,500 fields",
      `${line}\r\nHost: localhost\r\nContent-Length: 2\r\n${"a:1\r\n".repeat(2_500)}Content-Length: 2\r\n\r\n{}`,
    ],
    [
      "a length beside chunks after 2,500 fields",
      `${line}\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n${"a:1\r\n".repeat(2_500)}Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
  ])("%s", async (_what, bytes) => {
    const { statuses, sent, outcomes } = await send(bytes);
    expect({ statuses, sent, outcomes }).toEqual({ statuses: [400], sent: [], outcomes: ["not-sent"] });
  });

  it.each([
    ["a request line of 20 KB", `POST ${wallet}/init?${"a".repeat(20_000)} HTTP/1.1\r\n${rest}`],
    ["a field of 20 KB", `${line}\r\nX: ${"a".repeat(20_000)}\r\n${rest}`],
    ["20,000 fields", `${line}\r\n${"a:1\r\n".repeat(20_000)}${rest}`],
  ])("%s", async (_what, bytes) => {
    const { statuses, sent, outcomes } = await send(bytes);
    expect({ statuses, sent, outcomes }).toEqual({ statuses: [431], sent: [], outcomes: ["not-sent"] });
  });

  it("an Origin after 2,500 fields", async () => {
    const { statuses, sent } = await send(`${line}\r\n${"a:1\r\n".repeat(2_500)}Origin: null\r\n${rest}`);
    expect({ statuses, sent }).toEqual({ statuses: [403], sent: [] });
  });
});

describe("what is odd but clear is sent as one plain request", () => {
  it.each([
    ["chunks", chunked(`1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`)],
    ["chunks with extensions and zeros", chunked(`00002;a="b;c";d\r\n{}\r\n000;e\r\n\r\n`)],
    [
      "chunks with trailers that say otherwise",
      chunked(`2\r\n{}\r\n0\r\nHost: evil\r\nAuthorization: x\r\n\r\n`),
    ],
    ["a coding in another letter case", `${post("Transfer-Encoding: ChUnKeD")}2\r\n{}\r\n0\r\n\r\n`],
    ["line ends before the request line", `\r\n\r\n${post("Content-Length: 2")}{}`],
    ["a length with zeros", `${post("Content-Length: 0000000002")}{}`],
    [
      "names with underscores",
      `${post("Content_Length: 90", "Transfer_Encoding: chunked", "Content-Length: 2")}{}`,
    ],
    ["a length that Connection names", `${post("Content-Length: 2", "Connection: content-length, host")}{}`],
    [
      "two spaces in the request line",
      `POST  ${wallet}/init HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}`,
    ],
    [
      "a wish for HTTP/2",
      `${post("Content-Length: 2", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")}{}`,
    ],
    ["HTTP/1.0", `POST ${wallet}/init HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}`],
  ])("%s", async (_what, bytes) => {
    const { statuses, sent } = await send(bytes);
    expect({ statuses, sent }).toEqual({ statuses: [200], sent: ["POST /init {}"] });
  });
});
