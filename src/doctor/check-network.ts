import type { SeenCertificate } from "../connect/attempt.ts";
import { ConnectError } from "../connect/errors.ts";
import { describeProxy } from "../connect/proxy-url.ts";
import { systemCode } from "../errors.ts";
import { durationText } from "../lib/duration.ts";
import type { RouteResult, TlsResult } from "./dial.ts";
import { daysLeft, fail, type Finding, lateDetail, lateMend, ok, sentenceOf, skip, warn } from "./finding.ts";

/** The name, the address left from, the egress proxy, and whether Presto is reached. */
export function checkRoute(route: RouteResult): Finding[] {
  return [checkName(route), checkSource(route), checkProxy(route), checkReachable(route)];
}

/** Why no connection was had, and whose part it was. */
function faultOf({
  connection,
}: RouteResult): { readonly error: unknown; readonly place: string } | undefined {
  if (connection?.kind === "failed") return { error: connection.error, place: "presto" };
  if (connection?.kind !== "done" || connection.value.kind !== "no-route") return undefined;
  const { error } = connection.value;
  return { error, place: error instanceof ConnectError ? error.place : "presto" };
}

function checkName({ upstream, proxy, addresses }: RouteResult): Finding {
  const { host } = upstream.origin;
  if (addresses === undefined) {
    return proxy === undefined
      ? skip("dns", `${host} is an address, so there is no name to resolve.`)
      : skip("dns", `The egress proxy resolves ${host}.`);
  }
  if (addresses.kind === "done") {
    return ok(
      "dns",
      `${host} has the address${addresses.value.length === 1 ? "" : "es"} ${addresses.value.join(", ")}.`,
    );
  }
  const mend =
    "See that PRESTO_URL is written right, and that this machine's resolver answers. A sidecar that runs goes on over the addresses that were last good.";
  const detail =
    addresses.kind === "late"
      ? `${host} was not resolved in time.`
      : `${host}: ${sentenceOf(addresses.error)}`;
  return fail("dns", "unreachable", detail, mend);
}

function checkSource(route: RouteResult): Finding {
  const { upstream, localAddress: taken, connection } = route;
  const configured = upstream.egress.localAddress;
  const mend = "Set PRESTO_EGRESS_ADDRESS to an address that this machine has, or give it that address.";
  if (taken?.kind === "failed") return fail("source-address", "configuration", sentenceOf(taken.error), mend);
  if (taken?.kind === "late") return fail("source-address", "unreachable", lateDetail, lateMend);
  const fault = faultOf(route);
  if (fault?.place === "here") return fail("source-address", "configuration", sentenceOf(fault.error), mend);
  const seen =
    connection?.kind === "done" && connection.value.kind === "routed"
      ? connection.value.localAddress
      : undefined;
  if (seen === undefined) {
    return configured === undefined
      ? skip("source-address", "No connection was had that would show it.")
      : ok(
          "source-address",
          `${configured} is an address of this machine; no connection was had that would show it in use.`,
        );
  }
  if (configured === undefined) {
    return ok("source-address", `Connections leave this machine from ${seen}, which the system chose.`);
  }
  return withoutZone(seen) === withoutZone(configured)
    ? ok("source-address", `Connections leave this machine from ${seen}, as PRESTO_EGRESS_ADDRESS says.`)
    : fail(
        "source-address",
        "configuration",
        `Connections leave this machine from ${seen}, and not from ${configured}, the PRESTO_EGRESS_ADDRESS.`,
        mend,
      );
}

/** The system names an interface or does not, as it likes. */
function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}

function checkProxy(route: RouteResult): Finding {
  const { proxy, connection } = route;
  if (proxy === undefined) return skip("egress-proxy", "PRESTO_EGRESS_PROXY is not set.");
  if (proxy.kind === "late") return fail("egress-proxy", "unreachable", lateDetail, lateMend);
  if (proxy.kind === "failed") {
    return fail(
      "egress-proxy",
      "configuration",
      sentenceOf(proxy.error),
      "Put the egress proxy's URL there, such as http://gateway.example:3128.",
    );
  }
  const name = `${describeProxy(proxy.value)}${proxy.value.login === undefined ? "" : " (with user and password)"}`;
  const fault = faultOf(route);
  if (fault?.place === "egress-proxy") {
    return fail(
      "egress-proxy",
      "unreachable",
      `${name}: ${sentenceOf(fault.error)}`,
      "See that it runs, that PRESTO_EGRESS_PROXY names it with the right user and password, and that it lets Presto's name and port through.",
    );
  }
  if (connection?.kind === "done" && connection.value.kind === "routed") {
    return ok("egress-proxy", `${name} leads to Presto.`);
  }
  return skip("egress-proxy", `${name} is configured; no connection was had that would show it in use.`);
}

function checkReachable(route: RouteResult): Finding {
  const { upstream, connection, proxy } = route;
  const { host, port } = upstream.origin;
  if (connection === undefined) {
    return skip("route", `Nothing was tried: first mend ${unusable(route)}.`);
  }
  const mend = `See what stands between this machine and port ${port} of ${host}: routes, firewalls, an outage of Presto's; an address that is not registered may be met like this, too.`;
  if (connection.kind === "late") return fail("route", "unreachable", lateDetail, lateMend);
  const fault = faultOf(route);
  if (fault === undefined) {
    const way = proxy === undefined ? "directly" : "through the egress proxy";
    return ok("route", `Port ${port} of ${host} was reached ${way}.`);
  }
  if (fault.place === "here") return skip("route", "No connection could be begun; see source-address.");
  if (fault.place === "egress-proxy")
    return skip("route", "The egress proxy did not lead there; see egress-proxy.");
  if (fault.error instanceof ConnectError && fault.error.proxyStatus.startsWith("dns_")) {
    return skip("route", "There is no address to connect to; see dns.");
  }
  return fail("route", "unreachable", sentenceOf(fault.error), mend);
}

function unusable({ localAddress, proxy }: RouteResult): string {
  if (localAddress !== undefined && localAddress.kind !== "done") return "source-address";
  return proxy !== undefined && proxy.kind !== "done" ? "egress-proxy" : "tls";
}

const warnFromDays = 21;
/** Less than that, and a renewal by hand may come too late. */
const failBelowDays = 3;

/** Presto's proof that it is Presto: chain and name, pins, and how long it stands. @param now wall clock, milliseconds since 1970 */
export function checkTls(route: RouteResult, now: number): Finding[] {
  const { anchors, connection, upstream } = route;
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
      : checkChain(tls),
    checkPins(upstream.trust.pins, tls, certificate),
    checkCertificateLife(tls, certificate, now),
  ];
}

function checkChain(tls: TlsResult | undefined): Finding {
  if (tls === undefined || tls.kind === "not-tried") return skip("tls", "No connection was had; see above.");
  if (tls.kind === "up") {
    const asked = tls.clientCertificateAsked
      ? " The server asks for a client certificate, and goes on without one."
      : "";
    return ok("tls", `The certificate's chain and name hold (${tls.protocol}).${asked}`);
  }
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
      if (error.proxyStatus === "tls_alert_received") {
        return "See whether PRESTO_URL names Presto's own server; if it does, ask Presto why it wants a client certificate, which this program has none of.";
      }
      return error.proxyStatus === "tls_protocol_error"
        ? "See what answers in Presto's place, which must speak TLS 1.2 or newer."
        : "If Presto's certificate comes from a private CA, name that in PRESTO_CA_FILE; else somebody on the way answers in Presto's place.";
  }
}

function checkPins(
  pins: readonly string[],
  tls: TlsResult | undefined,
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

function checkCertificateLife(
  tls: TlsResult | undefined,
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
  const detail = `The certificate ${left > 0 ? `ends in ${durationText(left)}, at` : "has ended at"} ${certificate.validTo.toISOString()}.`;
  if (daysLeft(left) < failBelowDays) return fail("certificate-life", "unreachable", detail, mend);
  return daysLeft(left) <= warnFromDays
    ? warn("certificate-life", detail, mend)
    : ok("certificate-life", detail);
}
