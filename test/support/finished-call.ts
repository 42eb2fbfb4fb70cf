import type { CallFinished } from "../../src/upstream/call.ts";

/** A call as it commonly ends, with what a test wants to be otherwise. */
export function finishedCall(differences: Partial<CallFinished> = {}): CallFinished {
  return {
    type: "call-finished",
    requestId: "r-1",
    operation: "wallet.init",
    movesMoney: false,
    outcome: "answered",
    status: 200,
    code: undefined,
    cause: undefined,
    upstreamMs: 12.3456,
    totalMs: 13.5,
    sends: 1,
    generation: 3,
    peer: "127.0.0.1:41234",
    callerGone: false,
    cutOff: false,
    ...differences,
  };
}
