import { systemCode } from "../errors.ts";

/**
 * - `unreachable`: no TCP connection, or it ended before TLS was up.
 * - `untrusted`: certificate, name, pin or TLS version.
 * - `timeout`: not connected in time.
 */
export type ConnectErrorKind = "unreachable" | "untrusted" | "timeout";

/** No connection to Presto: not a byte of any request was written. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly kind: ConnectErrorKind;
  /** Error type of the Proxy-Status field, RFC 9209 section 2.3. */
  readonly proxyStatus: string;

  constructor(kind: ConnectErrorKind, message: string, proxyStatus: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
    this.proxyStatus = proxyStatus;
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

/** Sorts what `tls.connect` failed with. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = systemCode(error) ?? "";
  if (certificateCodes.has(code) || code.startsWith("ERR_TLS_CERT")) {
    return new ConnectError("untrusted", `certificate refused (${code})`, "tls_certificate_error", error);
  }
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") {
    return new ConnectError("untrusted", `TLS handshake failed (${code})`, "tls_protocol_error", error);
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EAI_FAIL" || code === "EAI_NODATA") {
    return new ConnectError("unreachable", `name not resolved (${code})`, "dns_error", error);
  }
  if (code === "ECONNREFUSED") {
    return new ConnectError("unreachable", "connection refused", "connection_refused", error);
  }
  if (code === "ETIMEDOUT") {
    return new ConnectError("timeout", "connecting took too long", "connection_timeout", error);
  }
  if (code === "ECONNRESET" || code === "EPIPE") {
    return new ConnectError(
      "unreachable",
      "connection ended before TLS was up",
      "connection_terminated",
      error,
    );
  }
  return new ConnectError(
    "unreachable",
    `no connection (${code || "unknown cause"})`,
    "destination_unavailable",
    error,
  );
}
