import type { IssueRequest } from "../../../src/presto/auth.ts";
import { Secret } from "../../../src/secret.ts";
import type { OwnResponse } from "../../../src/upstream/request-once.ts";

/** The moment at which the answers of these tests come. */
export const now = Date.UTC(2026, 10, 24, 12, 30);

export const asked: IssueRequest = {
  account: { email: new Secret("fi@bank.example"), password: new Secret("Pass-w0rd!") },
  name: "asked-name",
  expiresAt: new Date("2027-02-23T00:00:00Z"),
};

export interface AnswerOptions {
  readonly status?: number;
  /** Content type; null for none. */
  readonly type?: string | null;
  /** Name, value, name, value…. */
  readonly headers?: readonly string[];
}

/** An answer with this body: text as it is, anything else as JSON. */
export function answerOf(body: unknown, options: AnswerOptions = {}): OwnResponse {
  const { status = 200, type = "application/json", headers = [] } = options;
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return { status, headers: [...headers, ...(type === null ? [] : ["Content-Type", type])], body: bytes };
}
