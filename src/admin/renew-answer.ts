import type { RenewReply } from "../renewal/types.ts";

/** The reply to `POST /renew`. */
export interface RenewAnswer {
  readonly status: 200 | 202 | 409 | 502 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** What is told of a token is told by generation and date; of an error, `{code, detail}`. */
  readonly body: Readonly<Record<string, string | number | null>>;
}

/** Where nothing can be issued, whatever is asked for. */
export const roleCannotIssue: RenewAnswer = refusal(
  409,
  "role-cannot-issue",
  "A sidecar of role proxy uses the token and can't issue one; ask the process of role rotator or all that looks after this account.",
);

/** What became of the wish, in HTTP. */
export function renewAnswer(reply: RenewReply): RenewAnswer {
  switch (reply.kind) {
    case "renewed":
      return answer(200, {
        generation: reply.generation,
        expires_at: reply.expiresAt?.toISOString() ?? null,
      });
    case "under-way":
      return answer(202, { state: reply.state });
    case "stopped":
      return refusal(409, "alarm-latched", reply.detail);
    case "refused":
      return refusal(502, "refused", reply.detail);
    case "unreachable":
      return refusal(503, "unreachable", reply.detail, {
        // Whole seconds (RFC 9110, section 10.2.3), and 0 would ask for a busy loop.
        "retry-after": String(Math.max(1, Math.ceil(reply.retryAfterMs / 1000))),
      });
  }
}

function answer(status: 200 | 202, body: RenewAnswer["body"]): RenewAnswer {
  return { status, headers: {}, body };
}

function refusal(
  status: 409 | 502 | 503,
  code: string,
  detail: string,
  headers: RenewAnswer["headers"] = {},
): RenewAnswer {
  return { status, headers, body: { code, detail } };
}
