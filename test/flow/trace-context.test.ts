import { afterEach, describe, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import { type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parent = `00-${traceId}-00f067aa0ba902b7-01`;

let presto: RawPresto;
let sidecar: RunningSidecar;

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem, env });
}

afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

/** The trace context that Presto was sent with the next query. */
async function sent(...lines: readonly string[]): Promise<readonly (string | undefined)[]> {
  const fields: (string | undefined)[] = [];
  presto.answer((request) => {
    fields.push(request.header("traceparent"), request.header("tracestate"));
    request.socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  });
  expect((await exchange(sidecar, queryCall("T1", ...lines))).status).toBe(200);
  return fields;
}

describe("the traceparent of a caller", () => {
  it("stays here unless PRESTO_TRACE_UPSTREAM is yes", async () => {
    await start();
    expect(await sent(`traceparent: ${parent}`)).toEqual([undefined, undefined]);
  });

  it("goes on to Presto if it is, alone, once, and only if it is well-formed", async () => {
    await start({ PRESTO_TRACE_UPSTREAM: "yes" });
    expect(await sent(`Traceparent: ${parent}`, "tracestate: vendor=secret")).toEqual([parent, undefined]);
    expect(await sent()).toEqual([undefined, undefined]);
    expect(await sent("traceparent: 00-0-0-01")).toEqual([undefined, undefined]);
    expect(await sent(`traceparent: ${parent}`, `traceparent: ${parent}`)).toEqual([undefined, undefined]);
  });

  it("has its trace id in the problem document, whoever made that", async () => {
    await start();
    const refused = await exchange(sidecar, getCall("/nothing", `traceparent: ${parent}`));
    expect(JSON.parse(refused.body)).toMatchObject({ code: "operation-not-allowed", trace_id: traceId });
    presto.answer(({ socket }) => void socket.destroy());
    const broken = await exchange(sidecar, queryCall("T1", `traceparent: ${parent}`));
    expect(JSON.parse(broken.body)).toMatchObject({ code: "upstream-broken", trace_id: traceId });
    const without = await exchange(sidecar, getCall("/nothing"));
    expect(JSON.parse(without.body)).not.toHaveProperty("trace_id");
  });
});
