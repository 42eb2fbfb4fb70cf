import type { Signals } from "./signals.ts";

/**
 * Tells several listeners, in this order. One that throws hurts neither the call that it was
 * told of nor the other listeners: they are warned, once for each listener that fails.
 */
export function combineSignals(...listeners: readonly Signals[]): Signals {
  const broken = new Set<Signals>();

  function tell(deliver: (listener: Signals) => void): void {
    for (const listener of listeners) {
      try {
        deliver(listener);
      } catch (error) {
        if (broken.has(listener)) continue;
        broken.add(listener);
        tell((other) => {
          if (other !== listener)
            other.warned("A part that logs or counts failed; its figures are no longer complete.", error);
        });
      }
    }
  }

  return {
    callFinished: (call) => tell((listener) => listener.callFinished(call)),
    tokenChanged: (token) => tell((listener) => listener.tokenChanged(token)),
    tokenRejected: (token) => tell((listener) => listener.tokenRejected(token)),
    tokenAccepted: (token) => tell((listener) => listener.tokenAccepted(token)),
    storeFailed: (error) => tell((listener) => listener.storeFailed(error)),
    peerCertificate: (validTo) => tell((listener) => listener.peerCertificate(validTo)),
    connectFailed: (error) => tell((listener) => listener.connectFailed(error)),
    latchChanged: (name, reason) => tell((listener) => listener.latchChanged(name, reason)),
    renewalMoved: (move) => tell((listener) => listener.renewalMoved(move)),
    issueBegun: (call) => tell((listener) => listener.issueBegun(call)),
    issueEnded: (call) => tell((listener) => listener.issueEnded(call)),
    renewalEnded: (end, nextTryAt) => tell((listener) => listener.renewalEnded(end, nextTryAt)),
    unexplainedDeath: (death) => tell((listener) => listener.unexplainedDeath(death)),
    alarmChanged: (alarm) => tell((listener) => listener.alarmChanged(alarm)),
    egressChecked: (check) => tell((listener) => listener.egressChecked(check)),
    egressAddressSeen: (seen) => tell((listener) => listener.egressAddressSeen(seen)),
    egressVerdictChanged: (found) => tell((listener) => listener.egressVerdictChanged(found)),
    egressLatchChanged: (reason) => tell((listener) => listener.egressLatchChanged(reason)),
    warned: (message, cause) => tell((listener) => listener.warned(message, cause)),
  };
}
