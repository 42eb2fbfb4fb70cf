import { type Operation, walletOperations } from "../../src/policy/operations.ts";
import type { Call } from "../../src/upstream/call.ts";

/** The operation of that name among the three wallet calls. */
export function walletOperation(name: string): Operation {
  const operation = walletOperations.find((candidate) => candidate.name === name);
  if (operation === undefined) throw new Error(`no operation ${name}`);
  return operation;
}

/** A call with nothing special about it, as the inbound side would make it. */
export function plainCall(now: number, timeoutMs = 20_000, name = "wallet.transaction"): Call {
  const operation = walletOperation(name);
  return {
    requestId: "r-1",
    operation,
    method: operation.method,
    target: "/api/institutions/v1/wallet/transaction/T1",
    headers: [],
    body: undefined,
    arrivedAt: now,
    deadlineAt: now + timeoutMs,
    lastAt: now + timeoutMs,
    reserve: () => true,
    cancelReason: undefined,
    waiting: undefined,
    requestWritten: false,
    attempts: 0,
    upstreamMs: 0,
    generation: undefined,
  };
}
