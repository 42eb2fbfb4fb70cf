import type { Signals } from "./signals.ts";

/** Tells nobody: for commands that run a part of the program and report by themselves. */
export const noSignals: Signals = {
  callFinished() {},
  tokenChanged() {},
  tokenRejected() {},
  tokenAccepted() {},
  storeFailed() {},
  peerCertificate() {},
  connectFailed() {},
  latchChanged() {},
  renewalMoved() {},
  issueBegun() {},
  issueEnded() {},
  renewalEnded() {},
  unexplainedDeath() {},
  alarmChanged() {},
  egressChecked() {},
  egressAddressSeen() {},
  egressVerdictChanged() {},
  egressLatchChanged() {},
  warned() {},
};
