import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createAdminServer } from "../../src/admin/admin.ts";
import { createReadiness, type Readiness } from "../../src/admin/readiness.ts";
import type { BoundableServer } from "../../src/admin/server.ts";
import { systemClock } from "../../src/clock.ts";
import { ignore } from "../../src/lib/events.ts";
import { bindServer } from "../../src/listen/bind.ts";
import { createLastSeen } from "../../src/observe/last-seen.ts";
import { createMetrics, type Metrics } from "../../src/observe/metrics.ts";
import { createRecent } from "../../src/observe/recent.ts";
import { parseExposition } from "../support/parse-exposition.ts";
import { rawRequest, statusOf } from "../support/raw-exchange.ts";
import { statusReport } from "../support/status-report.ts";

let readiness: Readiness;
let metrics: Metrics;
let bound: BoundableServer;
let port: number;
let status: typeof statusReport;
let warnings: unknown[];

beforeEach(async () => {
  warnings = [];
  status = statusReport;
  readiness = createReadiness({ emit: ignore });
  metrics = createMetrics({
    operations: [],
    lastSeen: createLastSeen(systemClock),
    version: "1.2.3",
    startedAt: 0,
    clock: systemClock,
  });
  bound = await createAdminServer({
    readiness,
    status: () => status(),
    metrics,
    recent: createRecent(systemClock),
    clock: systemClock,
    emit: ({ message, cause }) => warnings.push([message, cause]),
  });
  const { address } = await bindServer(bound.server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  port = address.kind === "tcp" ? address.port : 0;
});

afterEach(async () => {
  metrics.close();
  await bound.close();
});

async function get(path: string) {
  const reply = await rawRequest(port, `GET ${path} HTTP/1.1`, "Host: 10.1.2.3:7381");
  const [head = "", body = ""] = reply.split("\r\n\r\n");
  return { status: statusOf(reply), head: head.toLowerCase(), body };
}

function makeReady(): void {
  readiness.open("started");
  readiness.open("token");
}

describe("health", () => {
  it("is alive from the first moment, whatever is closed", async () => {
    expect(await get("/livez")).toMatchObject({ status: 200, body: "ok\n" });
    readiness.close("draining", "Asked to.");
    expect(await get("/livez")).toMatchObject({ status: 200, body: "ok\n" });
    expect((await get("/livez?verbose")).body).toBe("livez check passed\n");
  });

  it("is ready when all latches are open, and else names the closed ones", async () => {
    expect(await get("/readyz")).toMatchObject({
      status: 503,
      body: "started: The sidecar is starting.\ntoken: No token has been read yet.\n",
    });
    makeReady();
    expect(await get("/readyz")).toMatchObject({ status: 200, body: "ok\n" });
    readiness.close("draining", "Asked to.");
    expect(await get("/readyz")).toMatchObject({ status: 503, body: "draining: Asked to.\n" });
  });

  it("has started without a token, so that the app beside it may start", async () => {
    expect((await get("/startupz")).status).toBe(503);
    readiness.open("started");
    expect(await get("/startupz")).toMatchObject({ status: 200, body: "ok\n" });
    readiness.close("draining", "Asked to.");
    expect((await get("/startupz")).status).toBe(200);
  });

  it.each(["verbose", "verbose=1", "a=b&verbose="])("lists all latches with ?%s", async (query) => {
    readiness.open("started");
    const { status: code, body, head } = await get(`/readyz?${query}`);
    expect([code, body]).toEqual([
      503,
      "[+]started ok\n[-]token: No token has been read yet.\n[+]draining ok\nreadyz check failed\n",
    ]);
    expect(head).toContain("content-type: text/plain");
  });
});

describe("what is told", () => {
  it("is metrics as Prometheus reads them", async () => {
    const { head, body } = await get("/metrics");
    expect(head).toContain("content-type: text/plain; version=0.0.4; charset=utf-8");
    expect(
      parseExposition(body).value("presto_sidecar_build_info", {
        version: "1.2.3",
        node_version: process.version,
      }),
    ).toBe(1);
  });

  it("is the status as JSON, with the latches, of this moment", async () => {
    makeReady();
    status = () => statusReport({ in_flight: 12 });
    const { head, body } = await get("/status");
    expect(head).toContain("content-type: application/json");
    expect(JSON.parse(body)).toEqual({
      ...statusReport({ in_flight: 12 }),
      ready: true,
      renewal: null,
      egress: null,
      latches: {
        started: { closed: false, reason: null, advisory: false },
        token: { closed: false, reason: null, advisory: false },
        draining: { closed: false, reason: null, advisory: false },
      },
    });
  });

  it("is a page for people, which a browser runs nothing of", async () => {
    const { status: code, head, body } = await get("/");
    expect(code).toBe(200);
    expect(head).toContain("content-type: text/html; charset=utf-8");
    expect(head.match(/content-security-policy: .*/g)).toEqual([
      expect.stringContaining("default-src 'none'; style-src 'sha256-"),
    ]);
    expect(body).toContain("<h1>presto-sidecar</h1>");
  });

  it.each(["/", "/status", "/metrics", "/livez", "/nothing"])(
    "at %s may not be kept, sniffed or framed",
    async (path) => {
      const { head } = await get(path);
      expect(head).toContain("cache-control: no-store");
      expect(head).toContain("x-content-type-options: nosniff");
      expect(head).toContain("frame-ancestors 'none'");
      expect(head).not.toContain("access-control-");
    },
  );

  it.each([
    "/nothing",
    "/livez/",
    "//livez",
    "/LIVEZ",
    "/%6civez",
    "/livez%00",
    "/%zz",
    "/../livez",
    "/livez;a",
    "http://x/livez",
    "*",
  ])("is nothing at %s, and the path is not repeated", async (path) => {
    const { status: code, body } = await get(path);
    expect(code).toBe(404);
    expect(JSON.parse(body)).toEqual({ code: "not-found", detail: "There is nothing at this path." });
  });

  it("is not the words of an error inside", async () => {
    status = () => {
      throw new Error("MARKED-1234");
    };
    const reply = await get("/status");
    expect(reply).toMatchObject({ status: 500 });
    expect(JSON.parse(reply.body)).toMatchObject({ code: "internal-error" });
    expect(JSON.stringify(reply)).not.toContain("MARKED");
    expect(warnings).toHaveLength(1);
  });
});

describe("methods and bodies", () => {
  it.each(["/livez", "/status", "/metrics", "/"])("HEAD %s is GET without the body", async (path) => {
    const reply = await rawRequest(port, `HEAD ${path} HTTP/1.1`, "Host: x");
    expect(statusOf(reply)).toBe(200);
    expect(reply.endsWith("\r\n\r\n")).toBe(true);
    expect(reply).toMatch(/content-length: [1-9]/i);
  });

  it.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "QUERY", "PURGE"])(
    "%s is refused, and told what is allowed",
    async (method) => {
      for (const path of method === "CONNECT" ? ["x:80"] : ["/readyz", "/nothing"]) {
        const reply = await rawRequest(port, `${method} ${path} HTTP/1.1`, "Host: x");
        expect(statusOf(reply)).toBe(405);
        expect(reply).toMatch(/^allow: GET, HEAD\r$/im);
      }
    },
  );

  it("Content-Length: 0 is no body", async () => {
    expect(statusOf(await rawRequest(port, "GET /livez HTTP/1.1", "Host: x", "Content-Length: 0"))).toBe(200);
  });

  it("an upgrade is not made", async () => {
    const reply = await rawRequest(port, "GET /livez HTTP/1.1", "Host: x", "Upgrade: websocket");
    expect(statusOf(reply)).toBe(200);
  });
});
