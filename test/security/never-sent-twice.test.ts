import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import type { Authority } from "../../src/sandbox/certificates.ts";
import { exchange } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

// Invariant 6: a request that may have reached Presto is never sent again, and what the caller is
// told of its fate is true. Each call here has a name of its own, which Presto looks for.

const wallet = "/api/institutions/v1/wallet";
type Kind = "query" | "init" | "confirm";
const kinds: readonly Kind[] = ["query", "init", "confirm"];
let authority: Authority;
let presto: RawPresto;
let sidecar: RunningSidecar;
let calls = 0;

beforeAll(async () => {
  authority = await createAuthority();
});

beforeEach(async () => {
  presto = await startRawPresto({ authority });
  sidecar = await startSidecar({
    url: presto.url,
    caPem: authority.certPem,
  });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

interface Call {
  readonly kind: Kind;
  readonly name: string;
  readonly answer: WireAnswer;
  readonly outcome: string | undefined;
}

function bytesOf(kind: Kind, name: string, padding = ""): string {
  if (kind === "query") return `GET ${wallet}/transaction/${name} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const body = `{"transaction_reference":"${name}"}${padding}`;
  return `POST ${wallet}/${kind} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

async function make(kind: Kind, padding = "", through: { readonly port: number } = sidecar): Promise<Call> {
  calls += 1;
  const name = `call-${calls}-of-${kind}`;
  const answer = await exchange(through, bytesOf(kind, name, padding));
  return { kind, name, answer, outcome: answer.headers["presto-outcome"] };
}

/** How often the call itself came; the question what became of a confirm is a GET of its own. */
function arrivals({ kind, name }: Pick<Call, "kind" | "name">): number {
  const method = kind === "query" ? "GET" : "POST";
  return presto.requests.filter(
    ({ requestLine, body }) =>
      requestLine.startsWith(method) && (kind === "query" ? requestLine : body.toString()).includes(name),
  ).length;
}

function expectTruth(call: Call): void {
  expect(arrivals(call)).toBeLessThanOrEqual(1);
  const touched = Buffer.concat(presto.wire()).includes(call.name);
  if (call.outcome === "not-sent") expect(touched).toBe(false);
  if (call.outcome === "answered") expect(arrivals(call)).toBe(1);
  expect(["not-sent", "answered", "unknown"]).toContain(call.outcome);
}

/** Makes a call of each kind at once, and expects each to end so, having come once. */
async function expectEach(status: number, outcome: string, code?: string): Promise<void> {
  const made = await Promise.all(kinds.map((kind) => make(kind)));
  for (const call of made) {
    expect([call.kind, call.answer.status, call.outcome]).toEqual([call.kind, status, outcome]);
    if (code !== undefined) expect(JSON.parse(call.answer.body)).toMatchObject({ code, outcome });
    expect(arrivals(call)).toBe(1);
    expectTruth(call);
  }
}

const asked = ({ requestLine }: WireRequest): boolean => /^GET .*of-confirm/.test(requestLine);

describe("an answer that is lost or broken leaves the call unknown, and sent once", () => {
  const cut = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"data":';
  const cutChunk = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"data":';
  it.each([
    ["before an answer", "", "reset"],
    ["before an answer", "", "end"],
    ["in the status line", "HTTP/1.1 2", "reset"],
    ["in the status line", "HTTP/1.1 2", "end"],
    ["in the head", "HTTP/1.1 200 OK\r\nContent-Ty", "reset"],
    ["in the head", "HTTP/1.1 200 OK\r\nContent-Ty", "end"],
    ["in the body", cut, "reset"],
    ["in the body", cut, "end"],
    ["in a chunk", cutChunk, "reset"],
    ["in a chunk", cutChunk, "end"],
    ["before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "end"],
    [
      "in a body without a length",
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"data":',
      "reset",
    ],
    ["in a body of HTTP/1.0", 'HTTP/1.0 200 OK\r\n\r\n{"data":', "reset"],
    ["after 100", "HTTP/1.1 100 Continue\r\n\r\n", "reset"],
    ["after 103", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "reset"],
    ["after 103", "HTTP/1.1 103 Early Hints\r\n\r\n", "end"],
    [
      "after 103 and a head",
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
      "end",
    ],
    ["after a 503 cut short", "HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 9\r\n\r\n{", "end"],
    ["after a 401 cut short", "HTTP/1.1 401 X\r\nContent-Length: 9\r\n\r\n{", "reset"],
    [
      "after 101",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      "keep",
    ],
    ["for bytes that are no HTTP", "\0\x01\x02 no HTTP at all\r\n\r\n", "keep"],
    ["for another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "keep"],
    ["for two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "keep"],
    ["for a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", "keep"],
    [
      "for a length beside chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
      "keep",
    ],
    [
      "for a broken chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n{}\r\n0\r\n\r\n",
      "keep",
    ],
    [
      "for a head too large",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}\r\nContent-Length: 0\r\n\r\n`,
      "keep",
    ],
  ] as const)("%s: %j, %s", async (_when, bytes, then) => {
    presto.answer((request) => {
      // The question what became of a confirm is answered as ever.
      if (asked(request)) return void request.socket.write(httpAnswer(200, '{"data":{"status":"pending"}}'));
      if (then === "end") return void request.socket.end(bytes);
      return void request.socket.write(bytes, () => {
        if (then === "reset") presto.reset(request.socket);
      });
    });
    await expectEach(502, "unknown", "upstream-broken");
  });

  it.each(["reset", "end"] as const)("before it was read: %s", async (then) => {
    presto.greet((socket) => {
      socket.prependOnceListener("data", () => {
        if (then === "reset") presto.reset(socket);
        else socket.end();
      });
    });
    for (const call of await Promise.all(
      kinds.map((kind) => make(kind, " ".repeat(kind === "query" ? 0 : 500_000))),
    )) {
      expect([call.answer.status, call.outcome]).toEqual([502, "unknown"]);
      expectTruth(call);
    }
  });

  it("by the deadline", async () => {
    const hasty = await startSidecar({
      url: presto.url,
      caPem: authority.certPem,
      env: { PRESTO_TIMEOUT: "3s", PRESTO_CONNECT_TIMEOUT: "2s", PRESTO_HOLD_MAX: "0ms" },
    });
    presto.answer(() => {});
    const made = await Promise.all(kinds.map((kind) => make(kind, "", hasty)));
    await hasty.close();
    for (const call of made) {
      expect([call.answer.status, call.outcome, arrivals(call)]).toEqual([504, "unknown", 1]);
      expect(JSON.parse(call.answer.body)).toMatchObject({
        code: "upstream-timeout",
        retryable: call.kind !== "confirm",
      });
    }
  });
});

describe("an answer is the end, whatever it says", () => {
  it.each([
    200, 204, 301, 307, 401, 403, 404, 408, 409, 421, 422, 425, 429, 500, 501, 502, 503, 504, 505, 599,
  ])("%i with Retry-After: 0", async (status) => {
    presto.answer((request) =>
      request.socket.write(
        httpAnswer(status, status === 204 ? "" : "{}", ["Retry-After: 0", "Content-Type: application/json"]),
      ),
    );
    await expectEach(status, "answered");
  });

  it("also after 103, whose fields are not taken for the answer's", async () => {
    presto.answer((request) =>
      request.socket.write(
        `HTTP/1.1 103 Early Hints\r\nX-Early: hint\r\n\r\nHTTP/1.1 102 X\r\n\r\n${httpAnswer(200)}`,
      ),
    );
    await expectEach(200, "answered");
    expect((await make("confirm")).answer.raw).not.toMatch(/x-early/i);
  });

  it("also one that comes before the request was read", async () => {
    presto.greet(
      (socket) => void socket.once("data", () => socket.end(httpAnswer(413, "{}", ["Connection: close"]))),
    );
    presto.answer(() => {});
    for (const call of await Promise.all(
      kinds.map((kind) => make(kind, " ".repeat(kind === "query" ? 0 : 900_000))),
    )) {
      expect([413, 502]).toContain(call.answer.status);
      expect(arrivals(call)).toBeLessThanOrEqual(1);
    }
  });
});

describe("what never got out is not sent", () => {
  it("where nobody listens", async () => {
    await presto.close();
    for (const call of await Promise.all(kinds.map((kind) => make(kind)))) {
      expect([call.answer.status, call.outcome]).toEqual([502, "not-sent"]);
      expect(JSON.parse(call.answer.body)).toMatchObject({ code: "upstream-unreachable", retryable: true });
      expectTruth(call);
    }
  });
});
