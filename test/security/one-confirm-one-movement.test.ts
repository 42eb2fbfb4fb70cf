import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto, type WireRequest } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { confirmCall, initCall, postCall, walletPaths } from "../support/wallet-call.ts";
import { makeCall } from "../support/whole-call.ts";

// One confirm moves money once: no second one of the same transaction is sent while the first may have moved it.

const boundary = "----------------------------0123456789abcdef";

/** A multipart form (RFC 7578) of these fields. */
function form(fields: readonly (readonly [string, string])[]): string {
  const parts = fields.map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join("")}--${boundary}--\r\n`;
}

const duplicate = {
  status: 409,
  code: "duplicate-confirm",
  outcome: "not-sent",
  proxyStatus: "http_request_denied",
  retryable: false,
} as const;

describe("at a Presto that moves money as often as it is told", () => {
  let sandbox: Sandbox;
  let side: RunningSidecar;

  beforeAll(async () => {
    sandbox = createSandbox();
    await sandbox.start();
    side = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      env: { PRESTO_TOKEN: sandbox.token },
    });
  });
  afterEach(() => sandbox.clearFaults());
  afterAll(async () => {
    await side.close();
    await sandbox.close();
  });

  async function begun(): Promise<string> {
    const { body } = await exchange(side, initCall());
    return String(JSON.parse(body).data.transaction_reference);
  }
  const moved = (reference: string): number => sandbox.state().confirms[reference] ?? 0;

  it("a second confirm is refused while the first is in flight, and after it was answered", async () => {
    const reference = await begun();
    const held = sandbox.setFault({ kind: "hold", acts: true, path: walletPaths.confirm, times: 1 });
    const first = exchange(side, confirmCall(reference));
    await expect.poll(() => moved(reference)).toBe(1);
    expectProblem(await exchange(side, confirmCall(reference)), { ...duplicate, retryAfter: true });
    held.remove();
    expect((await first).status).toBe(200);
    const after = await exchange(side, confirmCall(reference));
    expectProblem(after, { ...duplicate, transaction: { reference, status: "completed" } });
    expect(after.body).toContain(`${walletPaths.transaction}/{reference}`);
    expect(moved(reference)).toBe(1);
  });

  it("a second confirm is refused while the first has no known end, whatever its spelling", async () => {
    const reference = await begun();
    sandbox.setFault({ kind: "reset-before-acting", path: walletPaths.confirm, times: 1 });
    expect((await exchange(side, confirmCall(reference))).status).toBe(502);
    const wide = String.fromCodePoint(0xff34) + reference.slice(1);
    const json = (text: string): string => JSON.stringify({ transaction_reference: text });
    const spellings: readonly (readonly [Buffer | string, ...string[]])[] = [
      [json(reference)],
      [json(` ${reference}\n`)],
      [json(reference.toLowerCase())],
      [json(wide)],
      [json(`\u200b${reference}\ufeff`)],
      [`{"transaction\\u005freference":"${reference}"}`],
      [`{"transaction_reference":"${reference}","transaction_reference":"OTHER"}`],
      [`{"transaction_reference":"OTHER","transaction_reference":"${reference}"}`],
      [`\ufeff${json(reference)}`],
      [Buffer.from(`\ufeff${json(reference)}`, "utf16le")],
      [gzipSync(json(reference)), "Content-Encoding", "gzip"],
      [brotliCompressSync(json(reference)), "Content-Encoding", "br"],
      [deflateSync(json(reference)), "Content-Encoding", "deflate"],
      [gzipSync(gzipSync(json(reference))), "Content-Encoding", "gzip, gzip"],
      [`transaction_reference=${reference}`, "Content-Type", "application/x-www-form-urlencoded"],
      [`a=1&transaction_reference=+${reference.toLowerCase()}`],
    ];
    for (const [body, ...headers] of spellings) {
      const { status } = await makeCall({
        port: side.port,
        method: "POST",
        path: walletPaths.confirm,
        headers,
        body: Buffer.from(body),
      });
      expect([String(body), status]).toEqual([String(body), 409]);
    }
    for (const body of [
      form([["transaction_reference", reference]]),
      form([
        ["note", "x"],
        ["transaction_reference", ` ${reference.toLowerCase()}`],
      ]),
      form([
        ["transaction_reference", "OTHER"],
        ["transaction_reference", reference],
      ]),
    ]) {
      const { status } = await makeCall({
        port: side.port,
        method: "POST",
        path: walletPaths.confirm,
        headers: ["Content-Type", `multipart/form-data; boundary=${boundary}`],
        body: Buffer.from(body),
      });
      expect([body, status]).toEqual([body, 409]);
    }
    const inQuery = await makeCall({
      port: side.port,
      method: "POST",
      path: `${walletPaths.confirm}?transaction_reference=${reference}`,
      body: Buffer.from("{}"),
    });
    expect(inQuery.status).toBe(409);
    expect(moved(reference)).toBe(0);
  });

  it.each([
    ["an answer of 500", { kind: "status", status: 500, acts: true }],
    ["a page of a gateway", { kind: "html", status: 502, acts: true }],
    ["a success without a reference", { kind: "answer", status: 200, body: "{}", acts: true }],
    ["a conflict", { kind: "status", status: 409, acts: true }],
    ["a request time-out", { kind: "status", status: 408, acts: true }],
    ["too early", { kind: "status", status: 425, acts: true }],
    ["a gateway's refusal", { kind: "html", status: 403, acts: true }],
    ["a redirect", { kind: "answer", status: 302, headers: { location: "/x" }, acts: true }],
  ] as const)(
    "after %s that hid a movement the caller is told, and a second one is refused",
    async (_what, fault) => {
      const reference = await begun();
      sandbox.setFault({ ...fault, path: walletPaths.confirm, times: 1 });
      const answer = await exchange(side, confirmCall(reference));
      expect(answer.status).toBe(fault.status);
      expect(answer.headers["presto-transaction"]).toBe("completed");
      expect(answer.headers["presto-outcome"]).toBe("answered");
      expectProblem(await exchange(side, confirmCall(reference)), {
        ...duplicate,
        transaction: { reference, status: "completed" },
      });
      expect(moved(reference)).toBe(1);
    },
  );

  it("what was not sent, or was clearly refused, may be sent again", async () => {
    const reference = await begun();
    sandbox.setFault({ kind: "status", status: 422, path: walletPaths.confirm, times: 1 });
    const refused = await exchange(side, confirmCall(reference));
    expect(refused.status).toBe(422);
    expect(refused.headers).not.toHaveProperty("presto-transaction");
    const served = await exchange(side, confirmCall(reference));
    expect(served.status).toBe(200);
    expect(served.headers).not.toHaveProperty("presto-transaction");
    expect(moved(reference)).toBe(1);
  });
});

describe("at a Presto whose words are made up", () => {
  let presto: RawPresto;
  const running: RunningSidecar[] = [];

  beforeAll(async () => {
    presto = await startRawPresto();
  });
  afterAll(() => presto.close());
  afterEach(async () => {
    for (const sidecar of running.splice(0)) await sidecar.close();
  });

  async function sidecar(env: Record<string, string> = {}): Promise<RunningSidecar> {
    const started = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env,
    });
    running.push(started);
    return started;
  }
  const confirms = (): number =>
    presto.requests.filter(({ requestLine }) => requestLine.startsWith("POST")).length;
  function answers(onConfirm: (request: WireRequest) => void, status: number, body: string): void {
    presto.answer((request) => {
      if (request.requestLine.startsWith("POST")) onConfirm(request);
      else request.socket.write(httpAnswer(status, body));
    });
  }
  const cut = ({ socket }: WireRequest): void => void socket.destroy();
  const said = (status: string): string => JSON.stringify({ data: { status } });

  it("numbers are told apart by their source text", async () => {
    answers(
      ({ body, socket }) => void socket.write(httpAnswer(200, `{"data":${body.toString()}}`)),
      404,
      "{}",
    );
    const side = await sidecar();
    const before = confirms();
    const call = (number: string): string =>
      postCall(walletPaths.confirm, `{"transaction_reference":${number}}`);
    expect((await exchange(side, call("9007199254740993"))).status).toBe(200);
    expect((await exchange(side, call("9007199254740992"))).status).toBe(200);
    expect((await exchange(side, call("9007199254740993"))).status).toBe(409);
    expect((await exchange(side, confirmCall("9007199254740993"))).status).toBe(409);
    expect(confirms() - before).toBe(2);
  });

  it("failed is told when it is heard early, and believed only after PRESTO_SETTLE", async () => {
    answers(cut, 200, said("failed"));
    const side = await sidecar({ PRESTO_SETTLE: "3s" });
    const before = confirms();
    const first = await exchange(side, confirmCall("F-1"));
    expect(JSON.parse(first.body).transaction).toMatchObject({ reference: "F-1", status: "failed" });
    expectProblem(await exchange(side, confirmCall("F-1")), {
      ...duplicate,
      retryAfter: true,
      transaction: { reference: "F-1", status: "failed" },
    });
    expect(confirms() - before).toBe(1);
    await expect
      .poll(async () => (await exchange(side, confirmCall("F-1"))).status, { timeout: 40_000, interval: 200 })
      .toBe(502);
    expect(confirms() - before).toBe(2);
  });

  it.each([
    ["404", 404, '{"message":"Transaction not found"}'],
    ["an error that says failed", 500, said("failed")],
    ["pending", 200, said("pending")],
    ["a word that is not known", 200, said("voided")],
    ["failed, of another transaction", 200, '{"data":{"transaction_reference":"Z-9","status":"failed"}}'],
    ["no JSON at all", 200, "failed"],
  ])("%s settles nothing, however late it is heard", async (what, status, body) => {
    answers(cut, status, body);
    const side = await sidecar({ PRESTO_SETTLE: "0s" });
    const before = confirms();
    const reference = `N-${what.length}`;
    await exchange(side, confirmCall(reference));
    const questions = (): number =>
      presto.requests.filter(({ requestLine }) => requestLine.includes(`/${reference} `)).length;
    await expect.poll(questions, { timeout: 30_000 }).toBeGreaterThan(2);
    expect((await exchange(side, confirmCall(reference))).status).toBe(409);
    expect(confirms() - before).toBe(1);
  });

  it("a reference that can't stand in a path is guarded, and never asked for", async () => {
    answers(cut, 200, said("failed"));
    const side = await sidecar({ PRESTO_SETTLE: "0s" });
    for (const reference of ["a/b", "..", "auth", "x?y", "ä"]) {
      const before = presto.requests.length;
      expect((await exchange(side, confirmCall(reference))).status).toBe(502);
      expect((await exchange(side, confirmCall(reference))).status).toBe(409);
      expect(presto.requests.length - before).toBe(1);
    }
  });

  it("what can't be read is sent as it came, and counted", async () => {
    answers(({ socket }) => void socket.write(httpAnswer(422, '{"message":"no"}')), 404, "{}");
    const side = await sidecar();
    const before = confirms();
    const bodies: readonly (readonly [string, ...string[]])[] = [
      [""],
      ["[]"],
      ["{}"],
      ['{"transaction_reference":null}'],
      ["\u001f\u008b", "Content-Encoding: gzip"],
      ["x", "Content-Encoding: secret"],
      [
        form([["transaction_reference", "T1"]]).slice(0, 90),
        `Content-Type: multipart/form-data; boundary=${boundary}`,
      ],
      [form([["note", "T1"]]), `Content-Type: multipart/form-data; boundary=${boundary}`],
      [form([["transaction_reference", "T1"]]), "Content-Type: multipart/form-data; boundary=short"],
      [form([["note", "x".repeat(70_000)]]), `Content-Type: multipart/form-data; boundary=${boundary}`],
    ];
    for (const [body, ...lines] of bodies)
      for (const _twice of [1, 2])
        expect((await exchange(side, postCall(walletPaths.confirm, body, ...lines))).status).toBe(422);
    expect(confirms() - before).toBe(2 * bodies.length);
    const metrics = await makeCall({ port: side.adminPort, method: "GET", path: "/metrics" });
    for (const [reason, count] of [
      ["no-body", 2],
      ["format", 6],
      ["no-reference", 6],
      ["too-large", 2],
      ["coding", 4],
    ])
      expect(metrics.body.toString()).toContain(
        `presto_sidecar_unguarded_money_calls_total{reason="${reason}"} ${count}\n`,
      );
  });
});
