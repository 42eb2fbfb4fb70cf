import { describe, expect, it } from "vitest";

import { renewAnswer, roleCannotIssue } from "../../../src/admin/control.ts";

const detail = "Because.";

describe("the answer to a request for a new token", () => {
  it("is 200 with what may be told of the token", () => {
    expect(renewAnswer({ kind: "renewed", generation: 7, expiresAt: new Date(0) })).toEqual({
      status: 200,
      headers: {},
      body: { generation: 7, expires_at: "1970-01-01T00:00:00.000Z" },
    });
    expect(renewAnswer({ kind: "renewed", generation: 7, expiresAt: null }).body["expires_at"]).toBeNull();
  });

  it("is 202 with the state while it takes longer", () => {
    expect(renewAnswer({ kind: "under-way", state: "settling" })).toEqual({
      status: 202,
      headers: {},
      body: { state: "settling" },
    });
  });

  it.each([
    [409, "alarm-latched", { kind: "stopped", detail }],
    [502, "refused", { kind: "refused", detail }],
    [503, "unreachable", { kind: "unreachable", detail, retryAfterMs: 1 }],
  ] as const)("is %i with the code %s and the reason", (status, code, reply) => {
    expect(renewAnswer(reply)).toMatchObject({ status, body: { code, detail } });
  });

  it("is 503 with the Pod to ask where another process renews", () => {
    const pod = { namespace: "presto", name: "rotator-b" };
    expect(renewAnswer({ kind: "lock-held", detail, pod, retryAfterMs: 5_000 })).toEqual({
      status: 503,
      headers: { "retry-after": "5" },
      body: { code: "lock-held", detail, pod: "presto/rotator-b" },
    });
  });

  it.each([
    [0, "1"],
    [-5, "1"],
    [1000, "1"],
    [1001, "2"],
    [90_000, "90"],
  ])("says after %i ms in whole seconds when to ask again", (retryAfterMs, seconds) => {
    expect(renewAnswer({ kind: "unreachable", detail, retryAfterMs }).headers).toEqual({
      "retry-after": seconds,
    });
  });

  it("is 409 where the role can't issue, and says which can", () => {
    expect(roleCannotIssue).toMatchObject({
      status: 409,
      body: { code: "role-cannot-issue", detail: expect.stringMatching(/rotator/) },
    });
  });
});
