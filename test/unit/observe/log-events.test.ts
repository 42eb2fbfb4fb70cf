import { describe, expect, it } from "vitest";

import { ConnectError } from "../../../src/connect/errors.ts";
import { logEvents } from "../../../src/observe/log-events.ts";
import type { Log } from "../../../src/observe/log.ts";
import { StoreError } from "../../../src/store/contract.ts";
import { finishedCall } from "../../support/finished-call.ts";
import { logged } from "./logged.ts";

describe("the line of a call", () => {
  it("has all that is known of it", () => {
    const cause = new Error("x");
    const call = finishedCall({ operation: "wallet.confirm", movesMoney: true, callerGone: true, cause });
    expect(logged((emit) => emit(call))).toEqual([
      {
        level: "info",
        fields: {
          request_id: "r-1",
          operation: "wallet.confirm",
          method: undefined,
          path: undefined,
          outcome: "answered",
          status: 200,
          code: undefined,
          upstream_ms: 12.35,
          total_ms: 13.5,
          sends: 1,
          generation: 3,
          peer: "127.0.0.1:41234",
          trace_id: undefined,
          caller_gone: true,
          cut_off: undefined,
          audit: true,
        },
        error: cause,
      },
    ]);
  });

  it("is an audit line only if the call moves money", () => {
    const [line] = logged((emit) => emit(finishedCall()));
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
    expect(logged((emit) => emit(finishedCall(differences)))[0]?.level).toBe(level);
  });

  it("is not even made where its level is off", () => {
    expect(logged((emit) => emit(finishedCall()), "warn")).toEqual([]);
    const lines = logged((emit) => emit(finishedCall({ status: 503, code: "no-token" })), "warn");
    expect(lines).toHaveLength(1);
  });
});

describe("the lines of other events", () => {
  it("tell them, those of the token as audit lines", () => {
    const error = new ConnectError("unreachable", "none", "connection_refused");
    const lines = logged((emit) => {
      emit({ type: "token-changed", generation: 2, id: "ab12", expiresAt: new Date(0) });
      emit({ type: "token-changed", generation: 2, id: "ab12", expiresAt: null });
      emit({ type: "token-rejected", generation: 2, id: "ab12" });
      emit({ type: "store-failed", error: error });
      emit({ type: "peer-certificate", validTo: new Date(0) });
      emit({ type: "peer-certificate", validTo: new Date(Number.NaN) });
      emit({ type: "connect-failed", error: error });
      emit({ type: "latch-changed", name: "token", reason: "none", ready: false });
      emit({ type: "latch-changed", name: "token", reason: undefined, ready: true });
      emit({ type: "warning", message: "Odd.", cause: error });
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
      { level: "info", fields: { latch: "token", ready: false, reason: "none" }, err: undefined },
      { level: "info", fields: { latch: "token", ready: true }, err: undefined },
      { level: "warn", fields: {}, err: error },
    ]);
    expect(lines.at(-1)?.message).toBe("Odd.");
  });

  it("tell renewals too, each event with a line", () => {
    const lines = logged((emit) => {
      emit({ type: "renewal-moved", from: "idle", to: "reading", reason: undefined, intent: undefined });
      emit({ type: "issue-begun", intent: "i", reason: "manual" });
      emit({ type: "issue-ended", intent: "i", end: "issued", cause: undefined, ms: 1 });
      emit({ type: "renewal-ended", end: { kind: "shut-down" }, nextTryAt: undefined });
      emit({ type: "unexplained-death", generation: 1, id: "a", count: 1 });
      emit({ type: "alarm-changed", alarm: { reason: "Two issue.", at: new Date(0) } });
    });
    expect(lines.map(({ level }) => level)).toEqual(["debug", "info", "info", "info", "warn", "error"]);
  });
});

describe("refused connections", () => {
  it("come in floods, and have a line in ten seconds", () => {
    let now = 0;
    const lines: unknown[] = [];
    const log: Log = {
      enabled: () => true,
      write: (level, _message, fields) => lines.push([level, fields]),
      call: () => {},
      lost: () => 0,
      flush: () => Promise.resolve(),
    };
    const emit = logEvents(log, { monotonic: () => now });
    for (; now < 15_000; now += 100) emit({ type: "connection-refused", most: 48 });
    expect(lines).toEqual([
      ["error", { connections: 1, most: 48 }],
      ["error", { connections: 100, most: 48 }],
    ]);
  });
});

describe("a store that can't be read", () => {
  it("is told once a minute while the failure is the same, and at once where it is another", () => {
    const error = (code: "unreachable" | "refused") => new StoreError(code, `It is ${code}.`);
    let now = 0;
    const lines = logged(
      (emit) => {
        for (; now < 120_000; now += 1_000) emit({ type: "store-failed", error: error("unreachable") });
        emit({ type: "store-failed", error: error("refused") });
      },
      "info",
      { monotonic: () => now },
    );
    expect(lines.map(({ error: told }) => told)).toEqual([
      error("unreachable"),
      error("unreachable"),
      error("refused"),
    ]);
  });
});
