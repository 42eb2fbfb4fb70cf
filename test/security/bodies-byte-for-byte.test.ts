import { Agent } from "node:http";
import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { makeCall } from "../support/whole-call.ts";
import type { WholeReply } from "../support/whole-call.ts";

// Invariant 5: bodies are forwarded byte for byte, both ways. Amounts are numbers with three
// decimals: whoever parses one and writes it anew has changed what was ordered.

const mebi = 1024 * 1024;
const base = "/api/institutions/v1";
const operations = ["PUT", "PATCH", "DELETE", "POST"].map((method) => `${method} ${base}/things/{id}`);
let presto: RawPresto;
let sidecar: RunningSidecar;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_OPERATIONS: operations.join(", ") },
  });
});

beforeEach(() => presto.answer((request) => request.socket.write(httpAnswer(200))));

afterAll(async () => {
  agent.destroy();
  await sidecar.close();
  await presto.close();
});

function call(
  method: string,
  path: string,
  headers: readonly string[] = [],
  body?: Buffer,
): Promise<WholeReply> {
  return makeCall({
    port: sidecar.port,
    agent,
    method,
    path,
    headers,
    ...(body === undefined ? {} : { body }),
  });
}

const last = (): WireRequest | undefined => presto.requests.at(-1);
const lines = (name: string): readonly string[] =>
  last()?.headerLines.filter((line) => line.toLowerCase().startsWith(`${name}:`)) ?? [];

const bodies: Readonly<Record<string, Buffer>> = {
  "amounts in every notation": Buffer.from(
    '{"amount":200.000,"a":10.50,"b":1e2,"c":-0,"d":1E+02,"e":12345678901234567890.123}',
  ),
  "spaces, line ends and members twice": Buffer.from(
    ' {\t"a" : 1 ,\r\n "a":2, "__proto__":{"x":1}, "constructor":null } \n\n',
  ),
  escapes: Buffer.from('{"name":"\\u0041\\u0645\\/\\ud83d\\ude00\\ud800","b":"\u0645\u{1f600}"}'),
  "a byte order mark": Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
  "invalid UTF-8": Buffer.from([0x22, 0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x22]),
  NULs: Buffer.from([0, 0, 0x7b, 0, 0x7d, 0]),
  "every byte": Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  "JSON that is none": Buffer.from('{"amount":200.000'),
  gzip: gzipSync('{"amount":200.000}'),
  nothing: Buffer.alloc(0),
  "one byte": Buffer.from([0x0a]),
  "what looks like chunks": Buffer.from("5\r\nhello\r\n0\r\n\r\n"),
  "as much as may be": Buffer.alloc(mebi, "0123456789\n"),
};

describe("a request's body", () => {
  it.each(Object.entries(bodies))("of %s arrives as it was", async (_what, body) => {
    for (const type of ["application/json", "text/plain", "application/octet-stream"]) {
      expect((await call("POST", `${base}/wallet/init`, ["Content-Type", type], body)).status).toBe(200);
      expect(last()?.body.equals(body)).toBe(true);
      expect(lines("content-length")).toEqual([`content-length: ${body.length}`]);
    }
  });

  it("of more than may be is refused whole", async () => {
    const before = presto.requests.length;
    const body = Buffer.alloc(mebi + 1, "x");
    const reply = await call("POST", `${base}/wallet/init`, ["Content-Type", "text/plain"], body);
    expect([reply.status, reply.values("presto-outcome")]).toEqual([413, ["not-sent"]]);
    expect(presto.requests).toHaveLength(before);
  });

  it.each([
    "application/json",
    "application/json;charset=utf-8",
    'Application/JSON ; Charset="UTF-8"',
    "application/json; charset=iso-8859-6",
    "application/x-www-form-urlencoded",
    'multipart/form-data; boundary="----=_Part 1;a"',
    "text/html",
    "application/vnd.api+json;ext=bulk",
    "nonsense",
    "a/b/c;;=",
    "*/*",
    "; charset=utf-8",
    "\xe9/\xff",
  ])("has the type that its caller gave it: %j", async (type) => {
    const body = Buffer.from('--x\r\n{"amount":200.000}\r\n--x--');
    expect((await call("POST", `${base}/wallet/init`, ["Content-Type", type], body)).status).toBe(200);
    expect(lines("content-type")).toEqual([`Content-Type: ${type}`]);
    expect(last()?.body.equals(body)).toBe(true);
  });

  it("has no type if its caller gave it none, an empty one if that, and two if two", async () => {
    const body = Buffer.from("{}");
    for (const [given, seen] of [
      [[], []],
      [["Content-Type", ""], ["Content-Type: "]],
      [
        ["Content-Type", "a/b", "Content-Type", "c/d"],
        ["Content-Type: a/b", "Content-Type: c/d"],
      ],
    ] as const) {
      expect((await call("POST", `${base}/wallet/init`, given, body)).status).toBe(200);
      expect(lines("content-type")).toEqual(seen);
      expect(last()?.body.equals(body)).toBe(true);
    }
  });

  it.each(["POST", "PUT", "PATCH", "DELETE"])(
    "of %s arrives, coded or not, with all that is said of it",
    async (method) => {
      const body = gzipSync('{"amount":200.000}');
      const said = [
        "Content-Encoding",
        "gzip",
        "Content-Language",
        "ar",
        "Digest",
        "sha-256=x",
        "Content-MD5",
        "y",
      ];
      expect(
        (await call(method, `${base}/things/1?a=%20b`, [...said, "Content-Type", "application/json"], body))
          .status,
      ).toBe(200);
      expect(last()?.requestLine).toBe(`${method} ${base}/things/1?a=%20b HTTP/1.1`);
      expect(last()?.body.equals(body)).toBe(true);
      for (let at = 0; at < said.length; at += 2)
        expect(last()?.headerLines).toContain(`${said[at]}: ${said[at + 1]}`);
      expect((await call(method, `${base}/things/1`)).status).toBe(200);
      expect(last()?.body).toHaveLength(0);
    },
  );

  it("arrives whole, however it is cut and chunked", async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
    const caller = await openRawCaller(sidecar);
    let answers = 0;
    await fc.assert(
      fc.asyncProperty(
        pieces,
        fc.constantFrom("", ";a=b", ';a="b;c"', ";x;y=z"),
        fc.array(fc.nat(4_000), { maxLength: 4 }),
        async (parts, extension, cuts) => {
          const chunks = parts.map((part) =>
            Buffer.concat([
              Buffer.from(`${part.length.toString(16)}${extension}\r\n`),
              part,
              Buffer.from("\r\n"),
            ]),
          );
          const head = `POST ${base}/wallet/init HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n`;
          const bytes = Buffer.concat([Buffer.from(head), ...chunks, Buffer.from("0\r\nX: y\r\n\r\n")]);
          let from = 0;
          for (const cut of [...cuts.toSorted((one, other) => one - other), bytes.length]) {
            caller.send(bytes.subarray(from, Math.max(from, cut)));
            from = Math.max(from, cut);
          }
          answers += 1;
          expect((await caller.answers(answers)).at(-1)?.status).toBe(200);
          expect(last()?.body.equals(Buffer.concat(parts))).toBe(true);
          expect(lines("trailer")).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
    caller.close();
  });
});
