import { describe, expect, it } from "vitest";

import { Problem } from "../../../src/errors.ts";
import type { Signals } from "../../../src/observe/events.ts";
import { logSignals } from "../../../src/observe/log-events.ts";
import type { Log } from "../../../src/observe/log.ts";
import { finishedCall } from "../../support/finished-call.ts";

interface Line {
  readonly level: string;
  readonly message?: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error?: unknown;
}

function logged(run: (signals: Signals) => void, lowest: "info" | "warn" = "info"): Line[] {
  const lines: Line[] = [];
  const log: Log = {
    enabled: (level) => lowest === "info" || level !== "info",
    write: (level, message, fields, error) => lines.push({ level, message, fields: fields ?? {}, error }),
    call: (level, fields, error) => lines.push({ level, fields, error }),
    lost: () => 0,
    flush: () => Promise.resolve(),
  };
  run(logSignals(log));
  return lines;
}

describe("the line of a call", () => {
  it("has all that is known of it", () => {
    const cause = new Error("x");
    const call = finishedCall({ operation: "wallet.confirm", movesMoney: true, callerGone: true, cause });
    expect(logged((signals) => signals.callFinished(call))).toEqual([
      {
        level: "info",
        fields: {
          request_id: "r-1",
          operation: "wallet.confirm",
          outcome: "answered",
          status: 200,
          code: undefined,
          upstream_ms: 12.35,
          total_ms: 13.5,
          sends: 1,
          generation: 3,
          peer: "127.0.0.1:41234",
          caller_gone: true,
          audit: true,
        },
        error: cause,
      },
    ]);
  });

  it("is an audit line only if the call moves money", () => {
    const [line] = logged((signals) => signals.callFinished(finishedCall()));
    expect(line?.fields["audit"]).toBeUndefined();
    expect(line?.fields["caller_gone"]).toBeUndefined();
  });

  it.each([
    ["info", "an answer", {}],
    ["info", "an error of Presto's own", { status: 500 }],
    ["info", "a refusal", { status: 403, code: "operation-not-allowed", outcome: "not-sent" }],
    ["warn", "an own 5xx", { status: 503, code: "no-token", outcome: "not-sent" }],
    ["warn", "an unknown outcome", { status: 504, code: "upstream-timeout", outcome: "unknown" }],
    [
      "error",
      "an unknown outcome of a call that moves money",
      { status: 502, code: "upstream-broken", outcome: "unknown", movesMoney: true },
    ],
    [
      "error",
      "the same with the caller gone",
      { status: 0, outcome: "unknown", movesMoney: true, callerGone: true },
    ],
    ["error", "a fault of the sidecar", { status: 500, code: "internal-error", outcome: "not-sent" }],
  ] as const)("is at level %s for %s", (level, _what, differences) => {
    expect(logged((signals) => signals.callFinished(finishedCall(differences)))[0]?.level).toBe(level);
  });

  it("is not even made where its level is off", () => {
    expect(logged((signals) => signals.callFinished(finishedCall()), "warn")).toEqual([]);
    const lines = logged(
      (signals) => signals.callFinished(finishedCall({ status: 503, code: "no-token" })),
      "warn",
    );
    expect(lines).toHaveLength(1);
  });
});

describe("the lines of other signals", () => {
  it("tell them, those of the token as audit lines", () => {
    const error = new Problem("no-token", { detail: "none" });
    const lines = logged((signals) => {
      signals.tokenChanged({ generation: 2, id: "ab12", expiresAt: new Date(0) });
      signals.tokenChanged({ generation: 2, id: "ab12", expiresAt: null });
      signals.tokenRejected({ generation: 2, id: "ab12" });
      signals.storeFailed(error);
      signals.peerCertificate(new Date(0));
      signals.peerCertificate(new Date(Number.NaN));
      signals.connectFailed(error);
      signals.latchChanged("token", "none");
      signals.latchChanged("token", undefined);
      signals.warned("Odd.", error);
    });
    const expiry = "1970-01-01T00:00:00.000Z";
    expect(lines.map(({ level, fields, error: err }) => ({ level, fields, err }))).toEqual([
      {
        level: "info",
        fields: { generation: 2, token_id: "ab12", expires_at: expiry, audit: true },
        err: undefined,
      },
      {
        level: "info",
        fields: { generation: 2, token_id: "ab12", expires_at: null, audit: true },
        err: undefined,
      },
      { level: "warn", fields: { generation: 2, token_id: "ab12", audit: true }, err: undefined },
      { level: "warn", fields: {}, err: error },
      { level: "debug", fields: { certificate_ends_at: expiry }, err: undefined },
      { level: "debug", fields: { certificate_ends_at: null }, err: undefined },
      { level: "warn", fields: {}, err: error },
      { level: "info", fields: { latch: "token", reason: "none" }, err: undefined },
      { level: "info", fields: { latch: "token" }, err: undefined },
      { level: "warn", fields: {}, err: error },
    ]);
    expect(lines.at(-1)?.message).toBe("Odd.");
  });

  it("tell renewals too, each signal with a line", () => {
    const lines = logged((signals) => {
      signals.renewalMoved({ from: "idle", to: "reading", reason: undefined, intent: undefined });
      signals.issueBegun({ intent: "i", reason: "manual" });
      signals.issueEnded({ intent: "i", end: "issued", cause: undefined, ms: 1 });
      signals.renewalEnded({ kind: "shut-down" }, undefined);
      signals.unexplainedDeath({ generation: 1, id: "a", count: 1 });
      signals.alarmChanged({ reason: "Two issue.", at: new Date(0) });
    });
    expect(lines.map(({ level }) => level)).toEqual(["debug", "info", "info", "info", "warn", "error"]);
  });
});
