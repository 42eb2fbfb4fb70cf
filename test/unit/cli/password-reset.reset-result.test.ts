import { describe, expect, it } from "vitest";

import { resetFailure, reportChanged } from "../../../src/cli/password-reset.ts";
import { ConnectError } from "../../../src/connect/errors.ts";
import type { ResetOutcome } from "../../../src/presto/password-reset.ts";
import { createTestIo } from "../../support/command-io.ts";

const detail = "This is why.";
const cause = new Error("MARKED");
const refusedConnection = new ConnectError("unreachable", "connection refused", "connection_refused");

describe("a reset that was not done, or not to its end,", () => {
  const failures: readonly (readonly [number, RegExp, ResetOutcome])[] = [
    [69, /tried first/, { kind: "changed", stored: false }],
    [77, /This is why\. Both passwords are kept/, refusal(401, false)],
    [77, /This is why\. The new password was dropped/, refusal(422, true)],
    [77, /could not be written to drop it/, refusal(422, false)],
    [
      75,
      /This is why\. .* in 3 s: it tries the same new password again/,
      { ...refusal(429, false), retryAfterMs: 2_100 },
    ],
    [75, /again later: it tries the same/, refusal(429, false)],
    [69, /^Nothing was sent to Presto\. .* tries the same new password again/, { kind: "not-sent", cause }],
    [69, /Reason: connection refused\./, { kind: "not-sent", cause: refusedConnection }],
    [69, /not known whether .* tries the same new password again/, { kind: "unclear", cause }],
  ];

  it.each(failures)("ends with %i and %s", (code, says, outcome) => {
    const failure = resetFailure(outcome);
    expect(failure).toMatchObject({ exitCode: code, message: expect.stringMatching(says) });
    expect(failure?.message).not.toContain("MARKED");
  });

  function refusal(status: 401 | 422 | 429, dropped: boolean): Extract<ResetOutcome, { kind: "refused" }> {
    return { kind: "refused", status, detail, dropped };
  }
});

describe("a reset that was done", () => {
  it("is no failure", () => {
    expect(resetFailure({ kind: "changed", stored: true })).toBeUndefined();
  });

  it.each([
    ["alive", /still lives/],
    ["dead", /token renew/],
    ["unclear", /not known/],
  ] as const)("is told with what became of the token: %s", (token, says) => {
    const { io, out } = createTestIo();
    reportChanged(io, { stored: true, earlier: false, token }, false);
    expect(out()).toMatch(/^Presto has the new password/);
    expect(out()).toMatch(says);
  });

  it("is told apart from one that settled an earlier run", () => {
    const { io, out } = createTestIo();
    reportChanged(io, { stored: true, earlier: true, token: undefined }, false);
    expect(out()).toMatch(/^The password reset of an earlier run is settled/);
  });

  it("is told as JSON for machines", () => {
    const { io, out } = createTestIo();
    reportChanged(io, { stored: true, earlier: false, token: undefined }, true);
    expect(JSON.parse(out())).toEqual({ changed: true, stored: true, earlier: false, token: null });
  });
});
