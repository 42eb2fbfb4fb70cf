import { describe, expect, it } from "vitest";

import { ConnectError } from "../../../src/connect/errors.ts";
import { checkTls, checkRoute } from "../../../src/doctor/check-network.ts";
import type { DialResult, RouteResult } from "../../../src/doctor/dial.ts";
import { CommandError } from "../../../src/errors.ts";

const now = Date.UTC(2026, 10, 24);
const dayMs = 86_400_000;
const pin = "AAAA";

const upstream = {
  origin: { url: "https://presto.example", host: "presto.example", port: 443 },
  trust: { caFile: undefined, caOnly: false, pins: [] },
  egress: { localAddress: undefined, proxy: undefined },
  connectTimeoutMs: 5_000,
  timeoutMs: 20_000,
  probe: { reference: "TRX000000000", timeoutMs: 20_000 },
};
const boundUpstream = { ...upstream, egress: { ...upstream.egress, localAddress: "10.0.0.2" } };

function routed(localAddress: string, validTo = new Date(now + 90 * dayMs)): RouteResult["connection"] {
  return done({
    kind: "routed",
    localAddress,
    tls: { kind: "up", protocol: "TLSv1.3", certificate: { validTo, pin }, clientCertificateAsked: false },
  });
}

function done(value: DialResult): RouteResult["connection"] {
  return { kind: "done", value };
}

function noRoute(error: ConnectError): RouteResult["connection"] {
  return done({ kind: "no-route", error });
}

const base: RouteResult = {
  upstream,
  localAddress: undefined,
  proxy: undefined,
  anchors: {
    kind: "done",
    value: { context: () => ({ context: undefined }), reload: () => Promise.resolve() },
  },
  addresses: { kind: "done", value: ["203.0.113.1"] },
  connection: routed("10.0.0.2"),
};

function results(facts: Partial<RouteResult>): string {
  return checkRoute({ ...base, ...facts })
    .map(({ result }) => result)
    .join(" ");
}

const gateway = {
  kind: "done",
  value: { kind: "http", host: "gw.example", port: 3128, login: undefined },
} as const;
const connectError = (place: "here" | "egress-proxy" | "presto", status = "connection_refused") =>
  new ConnectError("unreachable", "connection refused", status, undefined, place);

describe("name, source address, egress proxy and route", () => {
  const cases: readonly (readonly [string, Partial<RouteResult>, string])[] = [
    ["in order", {}, "OK OK SKIP OK"],
    [
      "the name is late",
      { addresses: { kind: "late" }, connection: noRoute(connectError("presto", "dns_timeout")) },
      "FAIL SKIP SKIP SKIP",
    ],
    ["a literal address", { addresses: undefined }, "SKIP OK SKIP OK"],
    [
      "bound, and left from",
      { upstream: boundUpstream, localAddress: { kind: "done", value: undefined } },
      "OK OK SKIP OK",
    ],
    [
      "bound, and left from another",
      {
        upstream: boundUpstream,
        localAddress: { kind: "done", value: undefined },
        connection: routed("10.0.0.3"),
      },
      "OK FAIL SKIP OK",
    ],
    [
      "bound with an interface that the system does not name",
      {
        upstream: { ...upstream, egress: { ...upstream.egress, localAddress: "fe80::1%eth0" } },
        localAddress: { kind: "done", value: undefined },
        connection: routed("fe80::1"),
      },
      "OK OK SKIP OK",
    ],
    [
      "not to be left from",
      {
        upstream: boundUpstream,
        localAddress: { kind: "done", value: undefined },
        connection: noRoute(connectError("here")),
      },
      "OK FAIL SKIP SKIP",
    ],
    [
      "not this machine's",
      {
        upstream: boundUpstream,
        localAddress: { kind: "failed", error: new CommandError("configuration", "x") },
        connection: undefined,
      },
      "OK FAIL SKIP SKIP",
    ],
    ["through a proxy", { proxy: gateway, addresses: undefined }, "SKIP OK OK OK"],
    [
      "a proxy that is down",
      { proxy: gateway, addresses: undefined, connection: noRoute(connectError("egress-proxy")) },
      "SKIP SKIP FAIL SKIP",
    ],
    [
      "a proxy's file that can't be used",
      {
        proxy: { kind: "failed", error: new CommandError("configuration", "x") },
        addresses: undefined,
        connection: undefined,
      },
      "SKIP SKIP FAIL SKIP",
    ],
    ["refused by Presto", { connection: noRoute(connectError("presto")) }, "OK SKIP SKIP FAIL"],
    ["time was over", { connection: { kind: "late" } }, "OK SKIP SKIP FAIL"],
  ];

  it.each(cases)("are judged: %s", (_what, facts, expected) => {
    expect(results(facts)).toBe(expected);
  });

  it("name what to mend first where nothing was tried", () => {
    const route = (facts: Partial<RouteResult>) =>
      checkRoute({ ...base, connection: undefined, ...facts })[3]?.detail;
    expect(route({ localAddress: { kind: "late" } })).toContain("first mend source-address");
    expect(route({ proxy: { kind: "late" } })).toContain("first mend egress-proxy");
    expect(route({ proxy: gateway })).toContain("first mend tls");
  });
});

describe("the certificate's life", () => {
  it.each([
    [22, "OK"],
    [21, "WARN"],
    [3, "WARN"],
    [2.99, "FAIL"],
    [-1, "FAIL"],
  ])("of %d days is judged %s", (days, result) => {
    const facts = { ...base, connection: routed("10.0.0.2", new Date(now + days * dayMs)) };
    expect(checkTls(facts, now)[2]?.result).toBe(result);
  });

  it("is not guessed from a date that can't be read", () => {
    const facts = { ...base, connection: routed("10.0.0.2", new Date("never")) };
    expect(checkTls(facts, now)[2]?.result).toBe("SKIP");
  });
});

describe("a client certificate that is asked for", () => {
  it("and insisted on is told, with whom to ask", () => {
    const error = new ConnectError(
      "untrusted",
      "the server asks for a client certificate, and there is none to give",
      "tls_alert_received",
    );
    const connection = done({
      kind: "routed",
      localAddress: "10.0.0.2",
      tls: { kind: "failed", error, certificate: undefined },
    });
    expect(checkTls({ ...base, connection }, now)[0]).toMatchObject({
      result: "FAIL",
      detail: "The server asks for a client certificate, and there is none to give.",
      mend: expect.stringContaining("ask Presto why it wants a client certificate"),
    });
  });

  it("and not insisted on is told", () => {
    const connection = done({
      kind: "routed",
      localAddress: "10.0.0.2",
      tls: { kind: "up", protocol: "TLSv1.3", certificate: undefined, clientCertificateAsked: true },
    });
    expect(checkTls({ ...base, connection }, now)[0]).toMatchObject({
      result: "OK",
      detail:
        "The certificate's chain and name hold (TLSv1.3). The server asks for a client certificate, and goes on without one.",
    });
  });
});
