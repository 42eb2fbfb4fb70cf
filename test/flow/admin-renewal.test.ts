import { afterEach, describe, expect, it } from "vitest";

import { createAdminServer } from "../../src/admin/admin.ts";
import { createReadiness } from "../../src/admin/readiness.ts";
import { systemClock } from "../../src/clock.ts";
import { ignore } from "../../src/lib/events.ts";
import { bindServer } from "../../src/listen/bind.ts";
import { createLastSeen } from "../../src/observe/last-seen.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { createRecent } from "../../src/observe/recent.ts";
import { parseExposition } from "../support/parse-exposition.ts";
import { rawRequest, statusOf } from "../support/raw-exchange.ts";
import { renewalReport } from "../support/renewal-report.ts";
import { statusReport } from "../support/status-report.ts";

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** An admin listener of a role that issues, ready but for what a test closes. */
async function startAdmin(alarm: "decisive" | "advisory") {
  let report = renewalReport();
  const renewal = () => report;
  const readiness = createReadiness({ emit: ignore, alarm });
  const metrics = createMetrics({
    operations: [],
    lastSeen: createLastSeen(systemClock),
    version: "1.2.3",
    startedAt: 0,
    clock: systemClock,
  });
  metrics.measure({
    load: () => ({ inFlight: 0, queued: 0, buffered: 0 }),
    logLinesLost: () => 0,
    renewal,
  });
  const { server, close } = await createAdminServer({
    readiness,
    status: statusReport,
    renewal,
    metrics,
    recent: createRecent(systemClock),
    clock: systemClock,
    emit: ignore,
  });
  closers.push(async () => {
    metrics.close();
    await close();
  });
  const { address } = await bindServer(server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  const port = address.kind === "tcp" ? address.port : 0;
  readiness.open("started");
  readiness.open("token");
  return {
    readiness,
    set(differences: Parameters<typeof renewalReport>[0]) {
      report = renewalReport(differences);
    },
    async get(path: string) {
      const reply = await rawRequest(port, `GET ${path} HTTP/1.1`, "Host: x");
      return { status: statusOf(reply), body: reply.split("\r\n\r\n")[1] ?? "" };
    },
  };
}

describe("the alarm", () => {
  it("takes readiness where issuing is all that the process does", async () => {
    const { readiness, get } = await startAdmin("decisive");
    expect((await get("/readyz")).status).toBe(200);
    readiness.close("alarm", "Two issue.");
    expect(await get("/readyz")).toEqual({ status: 503, body: "alarm: Two issue.\n" });
    expect((await get("/livez")).status).toBe(200);
    readiness.open("alarm");
    expect((await get("/readyz")).status).toBe(200);
  });

  it("is told, and takes nothing, where a token goes on serving", async () => {
    const { readiness, get } = await startAdmin("advisory");
    readiness.close("alarm", "Two issue.");
    expect(await get("/readyz")).toEqual({ status: 200, body: "ok\n" });
    expect(await get("/readyz?verbose")).toEqual({
      status: 200,
      body: "[+]started ok\n[+]token ok\n[+]draining ok\n[!]alarm: Two issue.\nreadyz check passed\n",
    });
    expect(JSON.parse((await get("/status")).body)).toMatchObject({
      ready: true,
      latches: { alarm: { closed: true, reason: "Two issue.", advisory: true } },
    });
  });
});

describe("how the renewal stands", () => {
  it("is told at this moment in the status, on the page and in the metrics", async () => {
    const { set, get } = await startAdmin("advisory");
    expect(JSON.parse((await get("/status")).body)).toMatchObject({
      renewal: { state: "idle", alarm: null },
    });
    set({ state: "settling", stopped: { reason: "Two issue.", at: new Date(0) } });
    expect(JSON.parse((await get("/status")).body)).toMatchObject({
      renewal: { state: "settling", alarm: { reason: "Two issue.", at: "1970-01-01T00:00:00.000Z" } },
    });
    expect((await get("/")).body).toContain("<td>settling</td>");
    const { value } = parseExposition((await get("/metrics")).body);
    expect(value("presto_sidecar_renewal_state", { state: "settling" })).toBe(1);
    expect(value("presto_sidecar_renewal_stopped")).toBe(1);
  });
});
