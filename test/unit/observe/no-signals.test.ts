import { expect, it } from "vitest";

import { noSignals } from "../../../src/observe/no-signals.ts";
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
    noSignals.warned("x");
  }).not.toThrow();
});
