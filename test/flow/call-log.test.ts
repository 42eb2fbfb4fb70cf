import { hostname } from "node:os";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually, scrape } from "../support/sidecar-load.ts";
import {
  confirmCall,
  getCall,
  initCall,
  nextConfirmCall,
  queryCall,
  walletPaths,
} from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeEach(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_OPERATIONS: "POST /api/institutions/v1/refunds/{id}" },
  });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

async function lineOf(bytes: string): Promise<Record<string, unknown>> {
  const before = callLines(sidecar).length;
  await exchange(sidecar, bytes);
  await eventually(() => callLines(sidecar).length).toBe(before + 1);
  return callLines(sidecar).at(-1) ?? {};
}

const members = [
  "generation",
  "hostname",
  "level",
  "msg",
  "operation",
  "outcome",
  "peer",
  "pid",
  "request_id",
  "sends",
  "service.name",
  "status",
  "time",
  "total_ms",
  "upstream_ms",
];

describe("each call is one line of the log", () => {
  it("with these members and no others", async () => {
    const line = await lineOf(queryCall("T1", "X-Request-Id: q-1"));
    expect(Object.keys(line).toSorted()).toEqual(members);
    expect(line).toEqual({
      generation: 0,
      hostname: hostname(),
      level: "info",
      msg: "call",
      operation: "wallet.transaction",
      outcome: "answered",
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      pid: process.pid,
      request_id: "q-1",
      sends: 1,
      "service.name": "presto-sidecar",
      status: 200,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      total_ms: expect.any(Number),
      upstream_ms: expect.any(Number),
    });
    expect(line["upstream_ms"]).toBeGreaterThan(0);
    expect(line["total_ms"]).toBeGreaterThanOrEqual(Number(line["upstream_ms"]));
  });

  it("that says audit where money moves, whatever came of it, and only there", async () => {
    expect(await lineOf(nextConfirmCall())).toMatchObject({ operation: "wallet.confirm", audit: true });
    const refund = confirmCall("T1").replace(walletPaths.confirm, "/api/institutions/v1/refunds/7");
    expect(await lineOf(refund)).toMatchObject({
      audit: true,
      operation: "POST /api/institutions/v1/refunds/{id}",
    });
    presto.answer(({ socket }) => void socket.destroy());
    expect(await lineOf(nextConfirmCall())).toMatchObject({
      audit: true,
      outcome: "unknown",
      code: "upstream-broken",
    });
    expect(await lineOf(initCall())).not.toHaveProperty("audit");
    expect(await lineOf(queryCall("T1"))).not.toHaveProperty("audit");
  });

  it("in which Presto's own time is told from the whole, with the wait between", async () => {
    presto.answer(({ socket }) => void setTimeout(() => socket.write(httpAnswer(200)), 100));
    const line = await lineOf(queryCall("T1"));
    expect(line["upstream_ms"]).toBeGreaterThan(95);
    expect(line["total_ms"]).toBeGreaterThanOrEqual(Number(line["upstream_ms"]));
  });

  it("at a level that says who has to look", async () => {
    expect(await lineOf(getCall("/nothing"))).toMatchObject({
      level: "info",
      operation: "none",
      code: "operation-not-allowed",
    });
    presto.answer(({ socket }) => void socket.destroy());
    expect(await lineOf(initCall())).toMatchObject({ level: "warn", outcome: "unknown" });
    expect(await lineOf(nextConfirmCall())).toMatchObject({ level: "error", outcome: "unknown" });
  });

  it("and holds nothing of a body, a query, a header or the token", async () => {
    presto.answer(
      ({ socket }) =>
        void socket.write(httpAnswer(422, '{"message":"MARK-answer"}', ["X-Marked: MARK-field"])),
    );
    await lineOf(
      getCall(
        `${walletPaths.transaction}/T1?trace=MARK-query`,
        "X-Marked: MARK-header",
        "Authorization: Bearer MARK-auth",
      ),
    );
    await lineOf(confirmCall("MARK-body"));
    await lineOf(getCall("/tokens/12%7CMARK?q=MARK-query"));
    expect(sidecar.log()).not.toContain("MARK");
    expect(sidecar.log()).not.toContain("token-of-the-tests");
  });
});

describe("the line of a call that was refused", () => {
  it("has method and path, without a query, and nothing in it that is no plain word", async () => {
    expect(await lineOf(getCall("/api/institutions/v1/balance/12?of=me"))).toMatchObject({
      code: "operation-not-allowed",
      operation: "none",
      method: "GET",
      path: "/api/institutions/v1/balance/*",
    });
    expect(await lineOf(initCall().replace("POST", "PUT"))).toMatchObject({
      code: "method-not-allowed",
      method: "PUT",
      path: walletPaths.init,
    });
    // What is no request has neither.
    expect(await lineOf("nonsense\r\n\r\n")).not.toHaveProperty("path");
  });
});

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

describe("the line of a call that is part of a trace", () => {
  it("has its id, if it is well-formed, also where the call is refused", async () => {
    const parent = `traceparent: 00-${traceId}-00f067aa0ba902b7-01`;
    expect(await lineOf(queryCall("T1", parent))).toMatchObject({ trace_id: traceId });
    expect(await lineOf(getCall("/nothing", parent))).toMatchObject({ trace_id: traceId });
    expect(await lineOf(queryCall("T1", "traceparent: 00-0-0-0"))).not.toHaveProperty("trace_id");
  });
});

describe("the metrics", () => {
  it("count what the log says, call by call", async () => {
    for (const bytes of [
      queryCall("T1"),
      queryCall("T2"),
      initCall(),
      confirmCall("T1"),
      getCall("/nothing"),
      "nonsense\r\n\r\n",
    ])
      await lineOf(bytes);
    presto.answer(({ socket }) => void socket.destroy());
    await lineOf(queryCall("T3"));
    await lineOf(confirmCall("T3"));
    const gone = await openRawCaller(sidecar);
    presto.answer(() => gone.socket.resetAndDestroy());
    gone.send(initCall());
    await eventually(() => callLines(sidecar).length).toBe(9);

    const counts = new Map<string, number>();
    for (const { operation, status, outcome } of callLines(sidecar)) {
      const key = JSON.stringify({ operation, status: String(status), outcome });
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const metrics = await scrape(sidecar);
    // Ends that an alert looks for stand at 0 from the first scrape.
    const counted = metrics.families
      .get("presto_sidecar_calls_total")
      ?.samples.filter(({ value }) => value > 0);
    expect(
      new Map(
        counted?.map(({ labels: { operation, status, outcome }, value }) => [
          JSON.stringify({ operation, status, outcome }),
          value,
        ]),
      ),
    ).toEqual(counts);
    const sends = callLines(sidecar).reduce((sum, line) => sum + Number(line["sends"]), 0);
    expect(metrics.value("presto_sidecar_sends_total")).toBe(sends);
    expect(metrics.value("presto_sidecar_callers_gone_total")).toBe(1);
    expect(metrics.value("presto_sidecar_problems_total", { code: "upstream-broken" })).toBe(2);
    expect(metrics.value("presto_sidecar_problems_total", { code: "bad-request" })).toBe(1);
  });
});
