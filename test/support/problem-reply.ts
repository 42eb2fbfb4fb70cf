import { expect } from "vitest";

import type { WireAnswer } from "./raw-caller.ts";

/** What a reply of the sidecar's own must say. */
export interface ExpectedProblem {
  readonly status: number;
  readonly code: string;
  readonly outcome: "not-sent" | "unknown";
  /** Error type of the Proxy-Status field. */
  readonly proxyStatus: string;
  readonly retryable: boolean;
  /** Waiting helps: there is a Retry-After. */
  readonly retryAfter?: true;
  readonly allow?: string;
  /** The document has a `transaction`. */
  readonly transaction?: { readonly reference: string; readonly status: string };
}

/** Error types of RFC 9209 section 2.3 that fit a proxy which makes a reply by itself. */
const registered = new Set([
  "dns_timeout",
  "dns_error",
  "destination_unavailable",
  "connection_refused",
  "connection_terminated",
  "connection_timeout",
  "connection_limit_reached",
  "tls_protocol_error",
  "tls_certificate_error",
  "tls_alert_received",
  "http_request_error",
  "http_request_denied",
  "http_response_incomplete",
  "http_response_timeout",
  "http_protocol_error",
  "proxy_internal_response",
  "proxy_internal_error",
  "proxy_configuration_error",
]);

const plainMembers = ["code", "detail", "outcome", "request_id", "retryable", "status", "title", "type"];

const noAnswer: Pick<WireAnswer, "status" | "headers" | "body"> = { status: 0, headers: {}, body: "{}" };

/** Holds a reply against RFC 9457, RFC 9209, RFC 9110 and the table of replies; gives the document. */
export function expectProblem(answer: WireAnswer | undefined, expected: ExpectedProblem): unknown {
  const { status, headers, body } = answer ?? noAnswer;
  const document: Record<string, unknown> = JSON.parse(body);
  expect(document).toMatchObject({
    type: `urn:presto-sidecar:problem:${expected.code}`,
    status: expected.status,
    code: expected.code,
    outcome: expected.outcome,
    retryable: expected.retryable,
    request_id: headers["x-request-id"],
  });
  expect(status).toBe(expected.status);
  const members = expected.transaction === undefined ? plainMembers : [...plainMembers, "transaction"];
  expect(Object.keys(document).toSorted()).toEqual(members.toSorted());
  expect(document["title"]).toMatch(/^[A-Z][ -~]{5,}[^.]$/);
  expect(document["detail"]).toMatch(/^[ -~]{10,}$/);

  expect(headers["content-type"]).toBe("application/problem+json");
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(body, "latin1")));
  expect(headers["cache-control"]).toBe("no-store");
  expect(headers["x-request-id"]).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
  expect(headers["presto-outcome"]).toBe(expected.outcome);
  expect(headers["proxy-status"]).toBe(`presto-sidecar; error=${expected.proxyStatus}`);
  expect(registered.has(expected.proxyStatus)).toBe(true);
  // RFC 9110 section 6.6.1: a server with a clock says the time.
  expect(new Date(headers["date"] ?? "").toUTCString()).toBe(headers["date"]);
  expect(headers["allow"]).toBe(expected.allow);
  if (expected.retryAfter === true) expect(headers["retry-after"]).toMatch(/^[1-9]\d?$/);
  else expect(headers["retry-after"]).toBeUndefined();
  if (expected.transaction !== undefined) expectTransaction(document["transaction"], expected.transaction);
  return document;
}

function expectTransaction(
  shown: unknown,
  expected: { readonly reference: string; readonly status: string },
): void {
  expect(shown).toEqual({ ...expected, asked_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) });
  const askedAt = typeof shown === "object" && shown !== null ? Reflect.get(shown, "asked_at") : "";
  expect(Math.abs(Date.now() - Date.parse(String(askedAt)))).toBeLessThan(60_000);
}
