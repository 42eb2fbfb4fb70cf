import { describe, expect, it } from "vitest";

import { combineSignals } from "../../../src/observe/combine-signals.ts";
import type { Signals } from "../../../src/observe/signals.ts";
import { finishedCall } from "../../support/finished-call.ts";

type Told = [name: string, ...values: unknown[]];

function recorder(told: Told[]): Signals {
  return {
    callFinished: (...values) => told.push(["callFinished", ...values]),
    tokenChanged: (...values) => told.push(["tokenChanged", ...values]),
    tokenRejected: (...values) => told.push(["tokenRejected", ...values]),
    tokenAccepted: (...values) => told.push(["tokenAccepted", ...values]),
    storeFailed: (...values) => told.push(["storeFailed", ...values]),
    peerCertificate: (...values) => told.push(["peerCertificate", ...values]),
    connectFailed: (...values) => told.push(["connectFailed", ...values]),
    latchChanged: (...values) => told.push(["latchChanged", ...values]),
    warned: (...values) => told.push(["warned", ...values]),
  };
}

function tellAll(signals: Signals): Told[] {
  const call = finishedCall();
  const token = { generation: 1, id: "a", expiresAt: null };
  const error = new Error("x");
  const end = new Date(0);
  signals.callFinished(call);
  signals.tokenChanged(token);
  signals.tokenRejected(token);
  signals.tokenAccepted(token);
  signals.storeFailed(error);
  signals.peerCertificate(end);
  signals.connectFailed(error);
  signals.latchChanged("token", "none");
  signals.warned("odd", error);
  return [
    ["callFinished", call],
    ["tokenChanged", token],
    ["tokenRejected", token],
    ["tokenAccepted", token],
    ["storeFailed", error],
    ["peerCertificate", end],
    ["connectFailed", error],
    ["latchChanged", "token", "none"],
    ["warned", "odd", error],
  ];
}

function broken(): Signals {
  const fail = (): never => {
    throw new Error("the counter broke");
  };
  return {
    callFinished: fail,
    tokenChanged: fail,
    tokenRejected: fail,
    tokenAccepted: fail,
    storeFailed: fail,
    peerCertificate: fail,
    connectFailed: fail,
    latchChanged: fail,
    warned: fail,
  };
}

describe("combined signals", () => {
  it("tell every listener everything, unchanged", () => {
    const first: Told[] = [];
    const second: Told[] = [];
    const expected = tellAll(combineSignals(recorder(first), recorder(second)));
    expect(first).toEqual(expected);
    expect(second).toEqual(expected);
  });

  it("hurt neither the caller nor the other listeners when one throws", () => {
    const told: Told[] = [];
    const expected = tellAll(combineSignals(broken(), recorder(told)));
    expect(
      told.filter(([, message]) => typeof message !== "string" || !message.startsWith("A part that")),
    ).toEqual(expected);
  });

  it("warn the others once, not with every call, that one throws", () => {
    const told: Told[] = [];
    const signals = combineSignals(recorder(told), broken());
    signals.callFinished(finishedCall());
    signals.callFinished(finishedCall());
    const warnings = told.filter(([name]) => name === "warned");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.[2]).toMatchObject({ message: "the counter broke" });
  });

  it("end even when all of them throw", () => {
    expect(() => tellAll(combineSignals(broken(), broken()))).not.toThrow();
  });
});
