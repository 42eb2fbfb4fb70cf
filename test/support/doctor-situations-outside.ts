import type { Situation } from "./doctor-situations.ts";

const noUrls = { PRESTO_EGRESS_IPS: undefined, PRESTO_EGRESS_CHECK_URL: undefined };
const pin = `sha256/${Buffer.alloc(32, 1).toString("base64")}`;
const beyondTls = ["presto", "clock", "token-accepted"];

/** Of the way to Presto, of Presto, and of the check URLs. */
export const situationsOutside: readonly Situation[] = [
  {
    what: "the name does not exist",
    env: () => ({ PRESTO_URL: "https://no-such-name.invalid", PRESTO_CONNECT_TIMEOUT: "3s" }),
    code: 69,
    found: { dns: ["FAIL", /no-such-name\.invalid.*PRESTO_URL/] },
    skipped: ["source-address", "route", "tls", "certificate-life", ...beyondTls],
  },
  {
    what: "the address to leave from is not this machine's, and the CA file is not there",
    env: () => ({ PRESTO_EGRESS_ADDRESS: "198.51.100.77", PRESTO_CA_FILE: "/no/such/ca.pem" }),
    code: 78,
    found: {
      "source-address": ["FAIL", /198\.51\.100\.77 is not an address of this machine.*127\.0\.0\.1/],
      tls: ["FAIL", /\/no\/such\/ca\.pem can't be read/],
    },
    skipped: ["route", "certificate-life", ...beyondTls, "egress-registered"],
  },
  {
    what: "the CA file is not there, and Presto is reached all the same",
    env: () => ({ PRESTO_CA_FILE: "/no/such/ca.pem" }),
    code: 78,
    found: { tls: ["FAIL", /\/no\/such\/ca\.pem can't be read/] },
    skipped: ["certificate-life", ...beyondTls, "egress-registered"],
  },
  {
    what: "nobody listens where Presto should be",
    env: () => ({ PRESTO_URL: "https://127.0.0.1:1" }),
    code: 69,
    found: { route: ["FAIL", /connection refused.*port 1 /i] },
    skipped: ["dns", "source-address", "tls", "certificate-life", ...beyondTls],
  },
  ...(
    [
      ["other-name", /ERR_TLS_CERT_ALTNAME_INVALID.*PRESTO_URL/],
      ["other-authority", /UNABLE_TO_GET_ISSUER_CERT_LOCALLY.*PRESTO_CA_FILE/],
      ["self-signed", /DEPTH_ZERO_SELF_SIGNED_CERT.*PRESTO_CA_FILE/],
    ] as const
  ).map(([certificate, says]): Situation => {
    return {
      what: `the certificate is wrong: ${certificate}`,
      spoil: ({ sandbox }) => sandbox.setFault({ kind: "wrong-certificate", certificate }),
      code: 69,
      found: { tls: ["FAIL", says] },
      skipped: [...(certificate === "other-name" ? [] : ["certificate-life"]), ...beyondTls],
    };
  }),
  {
    what: "the certificate has expired",
    spoil: ({ sandbox }) => sandbox.setFault({ kind: "wrong-certificate", certificate: "expired" }),
    code: 69,
    found: { tls: ["FAIL", /CERT_HAS_EXPIRED/], "certificate-life": ["FAIL", /has expired/] },
    skipped: beyondTls,
  },
  {
    what: "Presto speaks no TLS that is new enough",
    spoil: ({ sandbox }) => sandbox.setFault({ kind: "old-tls" }),
    code: 69,
    found: { tls: ["FAIL", /TLS handshake failed.*TLS 1\.2/] },
    skipped: ["certificate-life", ...beyondTls],
  },
  {
    what: "no pin matches",
    env: () => ({ PRESTO_TLS_PINS: pin }),
    code: 69,
    found: { pins: ["FAIL", /none of PRESTO_TLS_PINS/] },
    skipped: beyondTls,
  },
  {
    what: "Presto never begins TLS",
    env: () => ({ PRESTO_CONNECT_TIMEOUT: "300ms" }),
    spoil: ({ sandbox }) => sandbox.setFault({ kind: "stall-at-connect" }),
    code: 69,
    found: { tls: ["FAIL", /300 ms: TLS was not up/] },
    skipped: ["certificate-life", ...beyondTls],
  },
  {
    what: "Presto has an outage",
    spoil: ({ sandbox }) => sandbox.setFault({ kind: "html", status: 502 }),
    code: 69,
    found: { presto: ["FAIL", /error of its own \(502\)/] },
    skipped: ["token-accepted"],
  },
  {
    what: "Presto answers nothing",
    env: () => ({ PRESTO_TIMEOUT: "400ms" }),
    spoil: ({ sandbox }) => sandbox.setFault({ kind: "hold" }),
    code: 69,
    found: { presto: ["FAIL", /Nothing was answered in time/] },
    skipped: ["clock", "token-accepted"],
  },
  {
    what: "Presto is somebody who redirects",
    spoil: ({ sandbox }) =>
      sandbox.setFault({ kind: "answer", status: 301, headers: { location: "https://www.example/" } }),
    code: 69,
    found: { presto: ["FAIL", /301 .*PRESTO_URL names Presto itself/] },
    skipped: ["token-accepted"],
  },
  {
    what: "Presto is asked too often",
    spoil: ({ sandbox }) => sandbox.setFault({ kind: "status", status: 429 }),
    code: 0,
    found: { presto: ["WARN", /429/] },
    skipped: ["token-accepted"],
  },
  {
    what: "the token was revoked",
    spoil: ({ sandbox }) => sandbox.revokeToken(),
    code: 77,
    found: { "token-accepted": ["FAIL", /401, asked twice.*token import/] },
  },
  {
    what: "Presto's clock is an hour ahead",
    spoil: ({ sandbox }) =>
      sandbox.setFault({
        kind: "answer",
        status: 401,
        headers: {
          "content-type": "application/json",
          date: new Date(Date.now() + 3_600_000).toUTCString(),
        },
        body: '{"message":"Unauthenticated."}',
        times: 2,
      }),
    code: 78,
    found: { clock: ["FAIL", /3(5\d\d|600) s behind Presto's.*NTP/] },
  },
  {
    what: "the address is not registered: Presto answers 403",
    env: () => noUrls,
    spoil: ({ sandbox }) => sandbox.configure({ allowedAddresses: ["127.0.0.2"], unregistered: "json" }),
    code: 77,
    found: { presto: ["FAIL", /403 was answered, as an address that is not registered/] },
    skipped: ["token-accepted", "egress-registered"],
  },
  {
    what: "the address is not registered: Presto resets, and the check URLs see a strange address",
    env: () => ({ PRESTO_EGRESS_ADDRESS: "127.0.0.1" }),
    spoil(s) {
      s.sandbox.configure({ allowedAddresses: ["127.0.0.2"], unregistered: "reset" });
      s.says("198.51.100.9");
    },
    code: 77,
    found: {
      tls: ["FAIL", /ended before TLS.*not registered/],
      "egress-registered": ["FAIL", /sees 198\.51\.100\.9, which is not in PRESTO_EGRESS_IPS.*the notice/],
    },
    skipped: ["certificate-life", ...beyondTls],
  },
  {
    what: "PRESTO_EGRESS_IPS is not what Presto has",
    spoil: (s) => s.says("198.51.100.9"),
    code: 77,
    found: { "egress-registered": ["FAIL", /Presto answers all the same.*complete PRESTO_EGRESS_IPS/] },
  },
  {
    what: "the check URLs contradict each other",
    spoil: (s) => s.says("198.51.100.9", "203.0.113.7"),
    code: 0,
    found: { "egress-registered": ["WARN", /contradict each other/] },
  },
  {
    what: "a check URL answers with a page",
    spoil: (s) => s.says("<html>hello", "203.0.113.7"),
    code: 0,
    found: { "egress-registered": ["WARN", /which is in PRESTO_EGRESS_IPS.*HTML page/] },
  },
];
