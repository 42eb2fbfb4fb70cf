import { describe, expect, it } from "vitest";

import { combineSignals, type Signals } from "../../../src/observe/events.ts";
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
    renewalMoved: (...values) => told.push(["renewalMoved", ...values]),
    issueBegun: (...values) => told.push(["issueBegun", ...values]),
    issueEnded: (...values) => told.push(["issueEnded", ...values]),
    renewalEnded: (...values) => told.push(["renewalEnded", ...values]),
    unexplainedDeath: (...values) => told.push(["unexplainedDeath", ...values]),
    alarmChanged: (...values) => told.push(["alarmChanged", ...values]),
    egressChecked: (...values) => told.push(["egressChecked", ...values]),
    egressAddressSeen: (...values) => told.push(["egressAddressSeen", ...values]),
    egressVerdictChanged: (...values) => told.push(["egressVerdictChanged", ...values]),
    egressLatchChanged: (...values) => told.push(["egressLatchChanged", ...values]),
    warned: (...values) => told.push(["warned", ...values]),
  };
}

function tellAll(signals: Signals): Told[] {
  const call = finishedCall();
  const token = { generation: 1, id: "a", expiresAt: null };
  const error = new Error("x");
  const end = new Date(0);
  const move = { from: "idle", to: "reading", reason: undefined, intent: undefined } as const;
  const begun = { intent: "i", reason: "manual" } as const;
  const ended = { intent: "i", end: "issued", cause: undefined, ms: 1 } as const;
  const shutDown = { kind: "shut-down" } as const;
  const death = { generation: 1, id: "a", count: 2 };
  const check = { name: "ip.example", address: "192.0.2.1", error: undefined, changed: true };
  const seen = { addresses: ["192.0.2.1"], registered: null };
  const found = { verdict: "unknown", evidence: [] } as const;
  signals.callFinished(call);
  signals.tokenChanged(token);
  signals.tokenRejected(token);
  signals.tokenAccepted(token);
  signals.storeFailed(error);
  signals.peerCertificate(end);
  signals.connectFailed(error);
  signals.latchChanged("token", "none");
  signals.renewalMoved(move);
  signals.issueBegun(begun);
  signals.issueEnded(ended);
  signals.renewalEnded(shutDown, end);
  signals.unexplainedDeath(death);
  signals.alarmChanged(undefined);
  signals.egressChecked(check);
  signals.egressAddressSeen(seen);
  signals.egressVerdictChanged(found);
  signals.egressLatchChanged("why");
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
    ["renewalMoved", move],
    ["issueBegun", begun],
    ["issueEnded", ended],
    ["renewalEnded", shutDown, end],
    ["unexplainedDeath", death],
    ["alarmChanged", undefined],
    ["egressChecked", check],
    ["egressAddressSeen", seen],
    ["egressVerdictChanged", found],
    ["egressLatchChanged", "why"],
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
    renewalMoved: fail,
    issueBegun: fail,
    issueEnded: fail,
    renewalEnded: fail,
    unexplainedDeath: fail,
    alarmChanged: fail,
    egressChecked: fail,
    egressAddressSeen: fail,
    egressVerdictChanged: fail,
    egressLatchChanged: fail,
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
