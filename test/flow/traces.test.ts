import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { type OtlpCollector, startOtlpCollector } from "../support/otlp-collector.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { confirmCall, getCall, initCall, queryCall } from "../support/wallet-call.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";

let presto: RawPresto;

beforeEach(async () => {
  presto = await startRawPresto();
});
afterEach(() => presto.close());

async function start(collector: OtlpCollector, env: Readonly<Record<string, string>> = {}) {
  onTestFinished(() => collector.close());
  const sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "payments", ...env },
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= sidecar.close());
  onTestFinished(close);
  return { sidecar, close };
}

const traced = (call: (line: string) => string, flags = "01"): string =>
  call(`traceparent: 00-${traceId}-${parentId}-${flags}`);

describe("spans", () => {
  it("are sent for each call and for each try, below the caller's, and are all there at the end", async () => {
    const collector = await startOtlpCollector();
    const { sidecar, close } = await start(collector, {
      OTEL_EXPORTER_OTLP_HEADERS: "x-collector-key=MARKED%20key",
    });
    const before = Date.now();
    await exchange(
      sidecar,
      traced((line) => queryCall("T1", line, "X-Request-Id: q-1")),
    );
    await close();
    const [call, ...tries] = collector.spans().toSorted((one, other) => one.kind - other.kind);
    expect(call).toMatchObject({
      traceId,
      parentSpanId: parentId,
      name: "wallet.transaction",
      kind: 2,
      status: 0,
      attributes: {
        "http.response.status_code": 200,
        "presto_sidecar.operation": "wallet.transaction",
        "presto_sidecar.outcome": "answered",
        "presto_sidecar.request_id": "q-1",
        "presto_sidecar.sends": 1,
      },
      resource: { "service.name": "payments", "process.pid": process.pid },
    });
    expect(tries).toEqual([
      expect.objectContaining({
        traceId,
        parentSpanId: call?.spanId,
        name: "send to Presto",
        kind: 3,
        attributes: { "http.response.status_code": 200, "presto_sidecar.written": true },
      }),
    ]);
    const [first] = tries;
    expect(call?.startMs).toBeGreaterThanOrEqual(before - 1_000);
    expect(first?.startMs).toBeGreaterThanOrEqual((call?.startMs ?? 0) - 2);
    expect(first?.endMs).toBeLessThanOrEqual((call?.endMs ?? 0) + 2);
    expect(collector.requests()[0]).toMatchObject({
      path: "/v1/traces",
      headers: { "content-type": "application/x-protobuf", "x-collector-key": "MARKED key" },
    });
    expect(sidecar.log()).not.toContain("MARKED");
  });

  it("go with the fields that a file holds when they are sent, and are lost where it is not there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "collector-headers-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "headers");
    writeFileSync(file, "x-collector-key=an%20old%20one\n");
    const collector = await startOtlpCollector();
    const { sidecar, close } = await start(collector, { OTEL_EXPORTER_OTLP_HEADERS_FILE: file });
    await exchange(sidecar, queryCall("T1"));
    writeFileSync(file, "x-collector-key=MARKED%20key,x-more=1\n");
    await close();
    expect(collector.requests()[0]?.headers).toMatchObject({
      "x-collector-key": "MARKED key",
      "x-more": "1",
    });
    expect(sidecar.log()).not.toContain("MARKED");

    rmSync(file);
    const second = await start(collector, { OTEL_EXPORTER_OTLP_HEADERS_FILE: file });
    const before = collector.requests().length;
    expect((await exchange(second.sidecar, queryCall("T1"))).status).toBe(200);
    await second.close();
    expect(collector.requests()).toHaveLength(before);
    expect(second.sidecar.log()).toContain("Spans could not be sent");
  });

  it("tell each try of a call that was sent again, and a call that was refused", async () => {
    const collector = await startOtlpCollector();
    const { sidecar, close } = await start(collector);
    // The try of a token that was refused by a lie is followed by another.
    let answers = 0;
    presto.answer(({ socket }) => {
      answers += 1;
      if (answers === 1) socket.write(httpAnswer(200));
      else socket.destroy();
    });
    await exchange(sidecar, initCall());
    await exchange(sidecar, initCall());
    await exchange(sidecar, getCall("/nothing"));
    await close();
    const spans = collector.spans();
    const calls = spans.filter(({ kind }) => kind === 2);
    expect(calls.map(({ name, status }) => [name, status])).toEqual([
      ["wallet.init", 0],
      ["wallet.init", 2],
      ["refused call", 0],
    ]);
    // Three traces, each begun here.
    expect(new Set(calls.map((call) => call.traceId)).size).toBe(3);
    expect(calls.map(({ parentSpanId }) => parentSpanId)).toEqual(["", "", ""]);
    expect(calls[2]?.attributes).toMatchObject({
      "http.request.method": "GET",
      "url.path": "/nothing",
      "error.type": "operation-not-allowed",
    });
    const [, broken] = calls;
    expect(spans.filter(({ parentSpanId }) => parentSpanId === broken?.spanId)).toHaveLength(1);
  });

  it("are not sent for a trace that its caller does not record", async () => {
    const collector = await startOtlpCollector();
    const { sidecar, close } = await start(collector);
    await exchange(
      sidecar,
      traced((line) => queryCall("T1", line), "00"),
    );
    await close();
    expect(collector.spans()).toEqual([]);
  });

  it("hold nothing of a body, a query, a token or a reference", async () => {
    const collector = await startOtlpCollector();
    const { sidecar, close } = await start(collector);
    presto.answer(({ socket }) => void socket.destroy());
    await exchange(sidecar, confirmCall("MARKED-reference"));
    await exchange(sidecar, queryCall("MARKED-reference"));
    await exchange(sidecar, getCall("/nothing/12MARKED?q=MARKED"));
    await close();
    expect(collector.spans().length).toBeGreaterThan(3);
    expect(collector.bytes()).not.toMatch(/MARKED|token-of-the-tests/);
  });

  it("that the collector does not take hold up no call and no end, and are told of once", async () => {
    const collector = await startOtlpCollector(400);
    const { sidecar, close } = await start(collector, { OTEL_BSP_SCHEDULE_DELAY: "50" });
    for (let i = 0; i < 3; i += 1) expect((await exchange(sidecar, initCall())).status).toBe(200);
    const begun = performance.now();
    await close();
    expect(performance.now() - begun).toBeLessThan(15_000);
    const warnings = sidecar.lines().filter(({ msg }) => String(msg).startsWith("Spans could not be sent"));
    expect(warnings).toHaveLength(1);
  });
});

it("without a collector nothing is made, and nothing is loaded", async () => {
  const sidecar: RunningSidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
  onTestFinished(() => sidecar.close());
  expect((await exchange(sidecar, initCall())).status).toBe(200);
  expect(sidecar.log()).not.toContain("Spans");
});
