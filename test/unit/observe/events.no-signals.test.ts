import { expect, it } from "vitest";

import { noSignals } from "../../../src/observe/events.ts";
import { finishedCall } from "../../support/finished-call.ts";

it("takes every signal and does nothing", () => {
  expect(() => {
    noSignals.callFinished(finishedCall());
    noSignals.tokenChanged({ generation: 1, id: "a", expiresAt: null });
    noSignals.tokenRejected({ generation: 1, id: "a" });
    noSignals.tokenAccepted({ generation: 1, id: "a" });
    noSignals.storeFailed(new Error("x"));
    noSignals.peerCertificate(new Date(0));
    noSignals.connectFailed(new Error("x"));
    noSignals.latchChanged("token", undefined);
    noSignals.renewalMoved({ from: "idle", to: "reading", reason: undefined, intent: undefined });
    noSignals.issueBegun({ intent: "i", reason: "scheduled" });
    noSignals.issueEnded({ intent: "i", end: "unclear", cause: new Error("x"), ms: 1 });
    noSignals.renewalEnded({ kind: "shut-down" }, undefined);
    noSignals.unexplainedDeath({ generation: 1, id: "a", count: 1 });
    noSignals.alarmChanged({ reason: "x", at: new Date(0) });
    noSignals.egressChecked({ name: "a", address: undefined, error: new Error("x"), changed: true });
    noSignals.egressAddressSeen({ addresses: [], registered: null });
    noSignals.egressVerdictChanged({ verdict: "unknown", evidence: [] });
    noSignals.egressLatchChanged("x");
    noSignals.warned("x");
  }).not.toThrow();
});
