/** What a process asks of the world outside it. */
export type OperationKind =
  | "read the lock"
  | "take the lock"
  | "renew the lock"
  | "release the lock"
  | "read"
  | "write"
  | "probe"
  | "issue"
  | "reset"
  | "read the credentials"
  | "write the credentials";

/** All that the simulation does to the protocol, by the names under which it counts it. */
export const faultKinds = [
  // A process.
  "crash",
  "crash-after",
  "pause",
  "suspend",
  "restart",
  "clock-jump",
  // A read or write of the store, or of the lock.
  "failed",
  "applied-unheard",
  "applied-late",
  "slow",
  "store-outage",
  "backup-restored",
  "record-wiped",
  "watch-silent",
  "watch-cut",
  "standby-lagging",
  "imported",
  // An issue call.
  "answer-lost",
  "executed-late",
  "never-arrived",
  "gateway-error",
  "refused",
  "not-sent",
  "junk-answer",
  "presto-outage",
  "foreign-issue",
  // A probe, a caller's call.
  "unanswered",
  "call-broken",
  // The address that a machine's requests come from.
  "address-moved",
] as const;

export type FaultKind = (typeof faultKinds)[number];

const everywhere = [
  "crash",
  "crash-after",
  "pause",
  "suspend",
  "restart",
  "slow",
] as const satisfies FaultKind[];

/** What may happen to one operation of a process that issues; kinds that stand twice are drawn twice as often. */
export const faultsOf: Record<OperationKind, readonly FaultKind[]> = {
  "read the lock": [...everywhere, "failed"],
  "take the lock": [...everywhere, "failed"],
  "renew the lock": [...everywhere, "failed", "applied-unheard"],
  "release the lock": everywhere,
  read: [...everywhere, "failed", "failed"],
  write: [
    ...everywhere,
    "crash-after",
    "failed",
    "applied-unheard",
    "applied-unheard",
    "applied-late",
    "applied-late",
  ],
  probe: [...everywhere, "unanswered"],
  issue: [
    ...everywhere,
    "crash-after",
    "answer-lost",
    "answer-lost",
    "executed-late",
    "executed-late",
    "never-arrived",
    "gateway-error",
    "refused",
    "not-sent",
    "junk-answer",
  ],
  reset: [
    "crash",
    "crash-after",
    "answer-lost",
    "answer-lost",
    "executed-late",
    "never-arrived",
    "gateway-error",
    "not-sent",
  ],
  "read the credentials": [...everywhere, "failed"],
  "write the credentials": [...everywhere, "failed", "applied-unheard"],
};
