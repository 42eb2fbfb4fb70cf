import type { EgressVerdict } from "../egress-ip/classify.ts";
import type { Outcome } from "../errors.ts";
import type { RenewalEnd, RenewalState } from "../renewal/types.ts";
import type { RenewalReason } from "../store/contract.ts";

/** A proxied or refused call, told once, when its reply has ended or its caller has gone. */
export interface FinishedCall {
  readonly requestId: string;
  /** Name of the operation, or `none` where the request was refused before one was found. */
  readonly operation: string;
  readonly movesMoney: boolean;
  readonly outcome: Outcome;
  /** Status sent to the caller; 0 if it had gone before any could be sent. */
  readonly status: number;
  /** Code of the sidecar's own reply, if it made one. */
  readonly code: string | undefined;
  /** For the log: why, in the error's own words, never a secret. */
  readonly cause: unknown;
  /** Milliseconds spent in exchanges with Presto. */
  readonly upstreamMs: number;
  /** Milliseconds from the request's head to the reply's last byte. */
  readonly totalMs: number;
  /** How many times it was sent. */
  readonly sends: number;
  /** Generation of the token last sent, or undefined if none was. */
  readonly generation: number | undefined;
  /** Socket peer: `127.0.0.1:41234` or `unix`. */
  readonly peer: string;
  /** The caller closed its connection before it was answered. */
  readonly callerGone: boolean;
}

/** How an issue call ended. A list, so that whoever counts can name each before it was seen. */
export const issueCallEnds = ["issued", "refused", "not-sent", "unclear"] as const;

export type IssueCallEnd = (typeof issueCallEnds)[number];

/** What the program tells of itself. Whoever logs or counts implements it; the rest only calls it. */
export interface Signals {
  callFinished(call: FinishedCall): void;
  /** Another token is in hand. */
  tokenChanged(token: {
    readonly generation: number;
    readonly id: string;
    readonly expiresAt: Date | null;
  }): void;
  /** Presto answered 401 to this token. */
  tokenRejected(token: { readonly generation: number; readonly id: string }): void;
  /** Presto accepted a token that it had answered 401 to. */
  tokenAccepted(token: { readonly generation: number; readonly id: string }): void;
  /** A read of the store failed; the token in hand, if any, goes on serving. */
  storeFailed(error: unknown): void;
  /** A full handshake with Presto: when its certificate ends. */
  peerCertificate(validTo: Date): void;
  /** A connection to Presto could not be made. */
  connectFailed(error: unknown): void;
  /** A readiness latch opened (`reason` undefined) or closed. */
  latchChanged(name: string, reason: string | undefined): void;
  /** The renewal went from one state to another. `intent` is the id of the intent that stands for it, if one does. */
  renewalMoved(move: {
    readonly from: RenewalState;
    readonly to: RenewalState;
    readonly reason: RenewalReason | undefined;
    readonly intent: string | undefined;
  }): void;
  /** An issue call was begun: from here on the stored token may be dead. */
  issueBegun(call: { readonly intent: string; readonly reason: RenewalReason }): void;
  /** What was heard of it: `refused` and `not-sent` prove that nothing was done. */
  issueEnded(call: {
    readonly intent: string;
    readonly end: IssueCallEnd;
    /** An error, for the log; undefined where there is none. */
    readonly cause: unknown;
    /** Milliseconds since it was begun. */
    readonly ms: number;
  }): void;
  /** A run through the states ended. `nextTryAt`: if it did not work out, when it is tried again. */
  renewalEnded(end: RenewalEnd, nextTryAt: Date | undefined): void;
  /** The stored token was found dead and nobody of ours had begun to replace it. `count`: such deaths in the last 24 h. */
  unexplainedDeath(death: { readonly generation: number; readonly id: string; readonly count: number }): void;
  /** The alarm was latched, or (undefined) cleared by a person. */
  alarmChanged(alarm: { readonly reason: string; readonly at: Date } | undefined): void;
  /** A check URL was asked which address this process leaves from. `error` is for the log; `changed`: it did not end so the last time. */
  egressChecked(check: {
    readonly name: string;
    readonly address: string | undefined;
    readonly error: unknown;
    readonly changed: boolean;
  }): void;
  /** This process leaves from other addresses than were known. `registered` is null where that can't be said. */
  egressAddressSeen(seen: {
    readonly addresses: readonly string[];
    readonly registered: boolean | null;
  }): void;
  /** How this process stands with Presto, by its last exchanges and by the check URLs. */
  egressVerdictChanged(found: {
    readonly verdict: EgressVerdict;
    readonly evidence: readonly string[];
  }): void;
  /** Calls are kept back from now on, and why; or (undefined) they leave again. */
  egressLatchChanged(reason: string | undefined): void;
  /** Something that an operator should read: a warning in one sentence. */
  warned(message: string, cause?: unknown): void;
}

/** What is told of a renewal: of the token's making, where the other signals are of its use. */
export type RenewalSignals = Pick<
  Signals,
  "renewalMoved" | "issueBegun" | "issueEnded" | "renewalEnded" | "unexplainedDeath" | "alarmChanged"
>;

/** What is told of the address that this process leaves from. */
export type EgressSignals = Pick<
  Signals,
  "egressChecked" | "egressAddressSeen" | "egressVerdictChanged" | "egressLatchChanged"
>;

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
