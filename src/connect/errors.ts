import { systemCode } from "../errors.ts";

/**
 * - `unreachable`: no TCP connection, or it ended before TLS was up, or the egress proxy refused.
 * - `untrusted`: certificate, name, pin or TLS version.
 * - `timeout`: not connected in time.
 */
export type ConnectErrorKind = "unreachable" | "untrusted" | "timeout";

/** Where it failed: on this machine, on the way to or at the egress proxy, or beyond. */
export type ConnectErrorPlace = "here" | "egress-proxy" | "presto";

/** No connection to Presto: not a byte of any request was written. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly kind: ConnectErrorKind;
  /** Error type of the Proxy-Status field, RFC 9209 section 2.3. */
  readonly proxyStatus: string;
  readonly place: ConnectErrorPlace;

  constructor(
    kind: ConnectErrorKind,
    message: string,
    proxyStatus: string,
    cause?: unknown,
    place: ConnectErrorPlace = "presto",
  ) {
    super(message, { cause });
    this.kind = kind;
    this.proxyStatus = proxyStatus;
    this.place = place;
  }
}

/** Codes of a failed verification, from OpenSSL's X509_V_ERR_* as Node names them, and Node's own. */
const certificateCodes = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERR_TLS_CERT_ALTNAME_FORMAT",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNSPECIFIED",
  "ERR_PIN_MISMATCH",
]);

/** What the system's other codes mean for whoever wanted a connection. */
const systemFailures: Readonly<Record<string, readonly [ConnectErrorKind, string, string]>> = {
  ECONNREFUSED: ["unreachable", "connection refused", "connection_refused"],
  ETIMEDOUT: ["timeout", "connecting took too long", "connection_timeout"],
  ECONNRESET: ["unreachable", "connection ended before TLS was up", "connection_terminated"],
  EPIPE: ["unreachable", "connection ended before TLS was up", "connection_terminated"],
  ENETUNREACH: ["unreachable", "no route (ENETUNREACH)", "destination_ip_unroutable"],
  EHOSTUNREACH: ["unreachable", "no route (EHOSTUNREACH)", "destination_ip_unroutable"],
};

/** This process, or this machine, has as many files open as it may: that says nothing of who was to be connected to. */
const noDescriptor = new Set(["EMFILE", "ENFILE"]);

/** Codes of getaddrinfo: the name is not there, or nobody could say. */
const lookupCodes = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EAI_ADDRFAMILY"]);

/** Sorts what a look-up, a TCP connection or a TLS handshake failed with. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = systemCode(error) ?? "";
  if (certificateCodes.has(code) || code.startsWith("ERR_TLS_CERT")) {
    // OpenSSL has words for it that Node has no code for (nodejs/node src/crypto/crypto_common.cc).
    const why =
      code === "UNSPECIFIED"
        ? `${code}: mostly a key or a signature that is too weak, as RSA below 2,048 bits`
        : code;
    return new ConnectError("untrusted", `certificate refused (${why})`, "tls_certificate_error", error);
  }
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") {
    return new ConnectError("untrusted", `TLS handshake failed (${code})`, "tls_protocol_error", error);
  }
  if (noDescriptor.has(code)) {
    return new ConnectError(
      "unreachable",
      `no file descriptor is left for a connection (${code}); raise the limit of this process (ulimit -n)`,
      "connection_limit_reached",
      error,
      "here",
    );
  }
  if (lookupCodes.has(code)) {
    return new ConnectError("unreachable", `name not resolved (${code})`, "dns_error", error);
  }
  const [kind, message, proxyStatus] = systemFailures[code] ?? [
    "unreachable",
    `no connection (${code || "unknown cause"})`,
    "destination_unavailable",
  ];
  return new ConnectError(kind, message, proxyStatus, error);
}

/** The same failure, on the way to the egress proxy; what failed on this machine stays there. */
export function onTheWayToProxy(error: ConnectError): ConnectError {
  if (error.place !== "presto") return error;
  return new ConnectError(
    error.kind,
    `on the way to the egress proxy: ${error.message}`,
    error.proxyStatus,
    error.cause,
    "egress-proxy",
  );
}
