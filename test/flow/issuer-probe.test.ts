import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createAsk, createProbe } from "../../src/presto/probe.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { poolOpener } from "../support/own-calls.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";

const reference = "TRX000000000";
const path = `/api/institutions/v1/wallet/transaction/${reference}`;
const secret = new Secret("1|some-token");
let sandbox: Sandbox;
let presto: RawPresto;

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
  presto = await startRawPresto();
});
afterEach(() => sandbox.reset());
afterAll(async () => {
  await sandbox.close();
  await presto.close();
});

function askOf(server: { port: number; caPem: string }, timeoutMs = 5_000): ReturnType<typeof createAsk> {
  return createAsk({ openPool: poolOpener(server), reference, timeoutMs, clock: systemClock });
}

describe("a probe over the wire", () => {
  it("asks for one path, with the token and then a made-up one, each on a connection of its own", async () => {
    const probe = createProbe({ ask: askOf(sandbox), clock: createFastClock(20) });
    const first = new Secret(sandbox.token);
    expect(await probe(first)).toBe("alive");
    sandbox.mintToken();
    expect(await probe(first)).toBe("dead");
    const sent = sandbox.received();
    expect(sent.map(({ method, target }) => `${method} ${target}`)).toEqual(
      Array.from({ length: 4 }, () => `GET ${path}`),
    );
    expect(new Set(sent.map(({ connection }) => connection)).size).toBe(4);
    const tokens = sent.map(({ rawHeaders }) => rawHeaders[rawHeaders.indexOf("authorization") + 1]);
    const mine = `Bearer ${first.reveal()}`;
    expect(tokens.map((sentWith) => sentWith === mine)).toEqual([true, false, true, true]);
    expect(tokens[1]).toMatch(/^Bearer [0-9a-f]{64}$/);
  });

  it.each<[string, string, string]>([
    ["success", "200 with JSON", httpAnswer(200)],
    ["success", "200 with JSON and no type", httpAnswer(200, "{}", [])],
    ["unauthorized", "401 in Presto's shape", httpAnswer(401, '{"message":"no"}')],
    [
      "unauthorized",
      "401 in Presto's shape, with a charset",
      httpAnswer(401, '{"message":"no"}', ["Content-Type: application/json; charset=utf-8"]),
    ],
    ["other", "401 with another shape", httpAnswer(401, '{"error":"no"}')],
    ["other", "401 with a list", httpAnswer(401, '["message"]')],
    ["other", "401 on a page", httpAnswer(401, '{"message":"no"}', ["Content-Type: text/html"])],
    [
      "other",
      "401 as a stream of JSON texts",
      httpAnswer(401, '{"message":"no"}', ["Content-Type: application/json-seq"]),
    ],
    ["not-found", "404 with JSON", httpAnswer(404, '{"message":"no"}')],
    ["not-found", "422 with JSON", httpAnswer(422, '{"message":"no"}')],
    ["other", "404 on a page", httpAnswer(404, "<html></html>", ["Content-Type: text/html"])],
    ["other", "200 on a page", httpAnswer(200, "<html></html>", ["Content-Type: text/html"])],
    ["other", "200 and no content", httpAnswer(200, "")],
    ["other", "403 with JSON", httpAnswer(403, '{"message":"no"}')],
    ["other", "429 with JSON", httpAnswer(429, '{"message":"no"}')],
    ["other", "500 with JSON", httpAnswer(500, '{"message":"no"}')],
    ["other", "200 that is far too large", httpAnswer(200, "{}".padEnd(100_000))],
  ])("reads %s in %s", async (answer, _what, bytes) => {
    presto.answer(({ socket }) => socket.write(bytes));
    const ask = askOf({ port: presto.port, caPem: presto.authority.certPem });
    expect(await ask(secret)).toBe(answer);
    await expect.poll(() => presto.open()).toBe(0);
  });

  it("learns nothing without an answer: late, cut, or from a server it can't trust", async () => {
    const trusted = { port: presto.port, caPem: presto.authority.certPem };
    presto.answer(() => {});
    expect(await askOf(trusted, 100)(secret)).toBe("other");
    presto.answer(({ socket }) => presto.reset(socket));
    expect(await askOf(trusted)(secret)).toBe("other");
    const before = presto.requests.length;
    expect(await askOf({ ...trusted, caPem: sandbox.caPem })(secret)).toBe("other");
    expect(presto.requests).toHaveLength(before);
  });
});
