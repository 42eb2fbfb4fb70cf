import { ConnectError } from "../connect/errors.ts";
import { systemCode } from "../errors.ts";
import { fail, type Finding, ok, skip, warn } from "./finding.ts";
import { daysLeft, spanOf } from "./span.ts";
import { sentenceOf } from "./tried.ts";
import type { SeenCertificate, TriedTls } from "./try-connection.ts";
import type { WayOutFacts } from "./way-out-facts.ts";

const warnFromDays = 21;
/** Less than that, and a renewal by hand may come too late. */
const failBelowDays = 3;

/** Presto's proof that it is Presto: chain and name, pins, and how long it stands. @param now wall clock, milliseconds since 1970 */
export function judgeTls(facts: WayOutFacts, now: number): Finding[] {
  const { anchors, connection, upstream } = facts;
  const tls =
    connection?.kind === "done" && connection.value.kind === "routed" ? connection.value.tls : undefined;
  const certificate = tls === undefined || tls.kind === "not-tried" ? undefined : tls.certificate;
  return [
    anchors.kind === "failed"
      ? fail(
          "tls",
          "configuration",
          sentenceOf(anchors.error),
          "Name a PEM file with the CA's certificates, or take PRESTO_CA_FILE away.",
        )
      : judgeChain(tls),
    judgePins(upstream.trust.pins, tls, certificate),
    judgeCertificateLife(tls, certificate, now),
  ];
}

function judgeChain(tls: TriedTls | undefined): Finding {
  if (tls === undefined || tls.kind === "not-tried") return skip("tls", "No connection was had; see above.");
  if (tls.kind === "up") return ok("tls", `The certificate's chain and name hold (${tls.protocol}).`);
  return fail("tls", "unreachable", sentenceOf(tls.error), chainMend(tls.error));
}

function chainMend(error: unknown): string {
  if (!(error instanceof ConnectError)) return "See what answers in Presto's place.";
  if (error.kind !== "untrusted") {
    return "See whether a firewall on the way, or Presto itself, ends connections from this address: one that is not registered may be met like this.";
  }
  switch (systemCode(error.cause)) {
    case "CERT_HAS_EXPIRED":
      return "Ask Presto to renew it, if this machine's clock is right.";
    case "CERT_NOT_YET_VALID":
      return "Set this machine's clock; if it is right, tell Presto.";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "See that PRESTO_URL has Presto's own name; if it has, somebody else answers in its place.";
    default:
      return error.proxyStatus === "tls_protocol_error"
        ? "See what answers in Presto's place, which must speak TLS 1.2 or newer."
        : "If Presto's certificate comes from a private CA, name that in PRESTO_CA_FILE; else somebody on the way answers in Presto's place.";
  }
}

function judgePins(
  pins: readonly string[],
  tls: TriedTls | undefined,
  certificate: SeenCertificate | undefined,
): Finding {
  if (pins.length === 0) return skip("pins", "PRESTO_TLS_PINS is not set.");
  if (tls?.kind !== "up" || certificate === undefined) {
    return skip("pins", "There is no certificate to compare them with; see tls.");
  }
  if (pins.includes(certificate.pin)) {
    return ok("pins", `The certificate's key is one of PRESTO_TLS_PINS: sha256/${certificate.pin}.`);
  }
  return fail(
    "pins",
    "unreachable",
    `The certificate's key is sha256/${certificate.pin}, which is none of PRESTO_TLS_PINS, so nothing is sent.`,
    "Ask Presto whether that key is theirs, and only then add it to PRESTO_TLS_PINS.",
  );
}

function judgeCertificateLife(
  tls: TriedTls | undefined,
  certificate: SeenCertificate | undefined,
  now: number,
): Finding {
  const mend = "Ask Presto to renew it: from its end on nothing is sent.";
  if (tls?.kind === "failed" && tls.error instanceof ConnectError) {
    // A refused chain is not shown: its certificates could be anybody's.
    if (systemCode(tls.error.cause) === "CERT_HAS_EXPIRED") {
      return fail("certificate-life", "unreachable", "A certificate of the chain has expired.", mend);
    }
  }
  if (certificate === undefined || Number.isNaN(certificate.validTo.getTime())) {
    return skip("certificate-life", "There is no certificate to look at; see tls.");
  }
  const left = certificate.validTo.getTime() - now;
  const detail = `The certificate ${left > 0 ? `ends in ${spanOf(left)}, at` : "has ended at"} ${certificate.validTo.toISOString()}.`;
  if (daysLeft(left) < failBelowDays) return fail("certificate-life", "unreachable", detail, mend);
  return daysLeft(left) <= warnFromDays
    ? warn("certificate-life", detail, mend)
    : ok("certificate-life", detail);
}
