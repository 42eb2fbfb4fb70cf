import { createServer } from "node:net";
import type { Socket } from "node:net";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { expectProblem } from "../support/problem-reply.ts";
import type { ExpectedProblem } from "../support/problem-reply.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { initCall, queryCall } from "../support/wallet-call.ts";

let presto: RawPresto;
const running: RunningSidecar[] = [];

beforeAll(async () => {
  presto = await startRawPresto();
});
afterAll(() => presto.close());
afterEach(async () => {
  for (const sidecar of running.splice(0)) await sidecar.close();
});

async function sidecar(url: string, env: Record<string, string | undefined> = {}): Promise<RunningSidecar> {
  const started = await startSidecar({
    url,
    caPem: presto.authority.certPem,
    env,
  });
  running.push(started);
  return started;
}

/** A TCP server that does this with each connection. */
async function door(greet: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    greet(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { url: `https://localhost:${port}`, [Symbol.dispose]: () => void server.close() };
}

const unreachable: ExpectedProblem = {
  status: 502,
  code: "upstream-unreachable",
  outcome: "not-sent",
  proxyStatus: "connection_refused",
  retryable: true,
};

describe("502 upstream-unreachable, not sent", () => {
  it("where nobody listens", async () => {
    const closed = await startRawPresto({ authority: presto.authority });
    await closed.close();
    expectProblem(await exchange(await sidecar(closed.url), initCall()), unreachable);
  });

  it("where connections are reset before TLS is up", async () => {
    using rude = await door((socket) => socket.resetAndDestroy());
    expectProblem(await exchange(await sidecar(rude.url), initCall()), {
      ...unreachable,
      proxyStatus: "connection_terminated",
    });
  });

  it("where connections are closed before TLS is up", async () => {
    using rude = await door((socket) => socket.end());
    expectProblem(await exchange(await sidecar(rude.url), initCall()), {
      ...unreachable,
      proxyStatus: "connection_terminated",
    });
  });
});

describe("502 upstream-untrusted, not sent", () => {
  it("where the certificate is of an authority that is not trusted", async () => {
    const other = await createAuthority();
    const server = await startRawPresto({ authority: other });
    expectProblem(await exchange(await sidecar(server.url), initCall()), {
      status: 502,
      code: "upstream-untrusted",
      outcome: "not-sent",
      proxyStatus: "tls_certificate_error",
      retryable: true,
    });
    expect(server.requests).toHaveLength(0);
    await server.close();
  });

  it("where plain HTTP answers the handshake", async () => {
    using plain = await door((socket) => socket.end(httpAnswer(200)));
    expectProblem(await exchange(await sidecar(plain.url), initCall()), {
      status: 502,
      code: "upstream-untrusted",
      outcome: "not-sent",
      proxyStatus: "tls_protocol_error",
      retryable: true,
    });
  });
});

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const cuts: readonly (readonly [string, string, (request: WireRequest) => void])[] = [
  ["a reset before the answer", "connection_terminated", ({ socket }) => presto.reset(socket)],
  ["an end before the answer", "http_response_incomplete", ({ socket }) => socket.end()],
  ["half a head", "http_response_incomplete", ({ socket }) => socket.end("HTTP/1.1 200")],
  [
    "half a body",
    "http_response_incomplete",
    ({ socket }) => socket.end(`${head}Content-Length: 9\r\n\r\n{`),
  ],
  [
    "half a chunk",
    "http_response_incomplete",
    ({ socket }) => socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{`),
  ],
  [
    "no last chunk",
    "http_response_incomplete",
    ({ socket }) => socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n`),
  ],
  [
    "bytes that are not HTTP",
    "http_response_incomplete",
    ({ socket }) => socket.end("This is not HTTP.\r\n\r\n"),
  ],
  [
    "a switch of protocols",
    "http_response_incomplete",
    ({ socket }) => socket.end("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
  ],
  [
    "two lengths",
    "http_response_incomplete",
    ({ socket }) => socket.end(`${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`),
  ],
  [
    "a head without end",
    "http_response_incomplete",
    ({ socket }) => socket.end(`${head}X: ${"x".repeat(40_000)}\r\n\r\n`),
  ],
];

describe("502 upstream-broken, outcome unknown, sent once", () => {
  it.each(cuts)("after %s", async (_name, proxyStatus, script) => {
    presto.answer(script);
    const before = presto.requests.length;
    expectProblem(await exchange(await sidecar(presto.url), queryCall("T1")), {
      status: 502,
      code: "upstream-broken",
      outcome: "unknown",
      proxyStatus,
      retryable: true,
    });
    expect(presto.requests.length - before).toBe(1);
  });
});

describe("503 no-token, not sent", () => {
  it("where the token file is not there", async () => {
    const side = await sidecar(presto.url, { PRESTO_TOKEN: undefined, PRESTO_TOKEN_FILE: "/nowhere/token" });
    const before = presto.requests.length;
    expectProblem(await exchange(side, initCall()), {
      status: 503,
      code: "no-token",
      outcome: "not-sent",
      proxyStatus: "proxy_configuration_error",
      retryable: true,
      retryAfter: true,
    });
    expect(presto.requests.length).toBe(before);
  });
});

describe("504 upstream-timeout", () => {
  const late: ExpectedProblem = {
    status: 504,
    code: "upstream-timeout",
    outcome: "not-sent",
    proxyStatus: "connection_timeout",
    retryable: true,
  };

  it("is not-sent where no connection is had in PRESTO_CONNECT_TIMEOUT", async () => {
    using silent = await door(() => {});
    const side = await sidecar(silent.url, { PRESTO_TIMEOUT: "60s", PRESTO_CONNECT_TIMEOUT: "200ms" });
    const startedAt = performance.now();
    expectProblem(await exchange(side, initCall()), late);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  it("is not-sent where time is over while connecting", async () => {
    using silent = await door(() => {});
    expectProblem(await exchange(await sidecar(silent.url, { PRESTO_TIMEOUT: "300ms" }), initCall()), late);
  });

  it("is unknown where Presto has the request and does not answer", async () => {
    presto.answer(() => {});
    // Time enough to be sent.
    const side = await sidecar(presto.url, { PRESTO_TIMEOUT: "2s" });
    expectProblem(await exchange(side, initCall()), {
      ...late,
      outcome: "unknown",
      proxyStatus: "http_response_timeout",
    });
  });
});
