import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createAskAddress } from "../../src/egress-ip/check-url.ts";
import { createAsk } from "../../src/presto/probe.ts";
import { Secret } from "../../src/secret.ts";
import { freeControl, openIssuer, poolOpener, requestFor } from "../support/own-calls.ts";
import { exchange } from "../support/raw-caller.ts";
import { type RawPresto, startRawPresto, type WireRequest } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { nextConfirmCall, queryCall } from "../support/wallet-call.ts";

// RFC 9110 section 8.4: what an answer says is behind its content codings, asked for or not.

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

type Answer = (request: WireRequest) => void;

const says =
  (status: number, body: Buffer, ...fields: string[]): Answer =>
  ({ socket }) => {
    socket.write([`HTTP/1.1 ${status} X`, ...fields, `Content-Length: ${body.length}`, "", ""].join("\r\n"));
    socket.write(body);
  };

const json = "Content-Type: application/json";
const forms: readonly (readonly [string, (status: number, body: string) => Answer])[] = [
  ["gzip", (status, body) => says(status, gzipSync(body), json, "Content-Encoding: gzip")],
  ["deflate", (status, body) => says(status, deflateSync(body), json, "Content-Encoding: deflate")],
  ["br", (status, body) => says(status, brotliCompressSync(body), json, "Content-Encoding: br")],
  ["a byte order mark", (status, body) => says(status, Buffer.from(`\uFEFF${body}`), json)],
  ["a byte order mark and no type", (status, body) => says(status, Buffer.from(`\uFEFF${body}`))],
  [
    "another charset",
    (status, body) => says(status, Buffer.from(body), "Content-Type: application/json; charset=iso-8859-1"),
  ],
  [
    "all of it",
    (status, body) =>
      says(
        status,
        gzipSync(`\uFEFF${body}`),
        'Content-Type: application/json; charset="utf-8"',
        "content-encoding: x-gzip",
      ),
  ],
];

describe.each(forms)("an answer of ours in %s is read:", (_form, make) => {
  const account = { email: "a@bank.example", password: "Passw0rd!x" };
  const access = (): { port: number; caPem: string } => ({
    port: presto.port,
    caPem: presto.authority.certPem,
  });
  const asking = { reference: "TRX0", timeoutMs: 5_000, clock: systemClock };

  it("of an issue call, and no token is thrown away", async () => {
    presto.answer(make(200, '{"data":{"token":"token-2"}}'));
    const end = await openIssuer(access()).issueToken(requestFor(account), freeControl());
    expect(end.kind === "issued" ? end.issued.token.reveal() : end).toBe("token-2");
  });

  it("of an issue call that is refused", async () => {
    presto.answer(make(422, '{"message":"no","errors":{"email":["no"]}}'));
    const end = await openIssuer(access()).issueToken(requestFor(account), freeControl());
    expect(end).toMatchObject({ kind: "refused", status: 422 });
  });

  it("of a reset", async () => {
    presto.answer(make(200, '{"message":"ok"}'));
    const { account: secrets } = requestFor(account);
    const end = await openIssuer(access()).resetPassword(secrets, new Secret("N3w-passw0rd!"), freeControl());
    expect(end.kind).toBe("reset");
  });

  it("of a probe", async () => {
    const ask = createAsk({ ...asking, openPool: poolOpener(access()) });
    presto.answer(make(401, '{"message":"Unauthenticated."}'));
    expect(await ask(new Secret("token-1"))).toBe("unauthorized");
    presto.answer(make(404, '{"message":"none"}'));
    expect(await ask(new Secret("token-1"))).toBe("not-found");
  });

  it("of the question after an unknown confirm", async () => {
    const answer = make(200, '{"data":{"status":"completed"}}');
    let encoding: string | undefined;
    presto.answer((request) => {
      if (request.requestLine.startsWith("POST")) request.socket.destroy();
      else answer(request);
      encoding = request.header("accept-encoding");
    });
    expect(JSON.parse((await exchange(sidecar, nextConfirmCall())).body)).toMatchObject({
      transaction: { status: "completed" },
    });
    expect(encoding).toBe("identity");
  });

  it("of a check URL", async () => {
    presto.answer(make(200, '{"ip":"203.0.113.7"}'));
    const ask = createAskAddress({
      ...asking,
      name: "ip.example",
      target: "/",
      openPool: poolOpener(access()),
    });
    expect(await ask()).toMatchObject({ address: { text: "203.0.113.7" } });
  });
});

describe("a coding that can't be undone", () => {
  const access = (): { port: number; caPem: string } => ({
    port: presto.port,
    caPem: presto.authority.certPem,
  });

  it.each([
    ["that nobody knows", Buffer.from([0x1f, 0x9d, 0x90]), "compress"],
    ["that is a bomb", gzipSync(Buffer.alloc(32 * 1024 * 1024)), "gzip"],
  ])("%s is told by name, and nothing is known", async (_what, body, coding) => {
    presto.answer(says(200, body, json, `Content-Encoding: ${coding}`));
    const end = await openIssuer(access()).issueToken(
      requestFor({ email: "a@bank.example", password: "p" }),
      freeControl(),
    );
    expect(end.kind).toBe("unclear");
    const message = end.kind === "unclear" && end.cause instanceof Error ? end.cause.message : "";
    expect(message).toContain("content coding");
  });
});

it("an app gets its answer byte for byte, with the codings that it has", async () => {
  const body = gzipSync('{"message":"plain"}');
  presto.answer(says(200, body, json, "Content-Encoding: gzip"));
  const answer = await exchange(sidecar, queryCall("T1", "Accept-Encoding: gzip"));
  expect(Buffer.from(answer.body, "latin1").equals(body)).toBe(true);
  expect(answer.headers["content-encoding"]).toBe("gzip");
});
