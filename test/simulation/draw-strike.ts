import type { FaultKind, OperationKind } from "./fault-kinds.ts";
import type { Random } from "./random.ts";
import type { ScenarioKind, Strike } from "./scenario.ts";

/** Where faults hurt most they strike most often. */
const struckOperations: readonly OperationKind[] = [
  ...(["issue", "issue", "issue", "write", "write", "write", "write"] as const),
  ...(["read", "read", "probe", "probe"] as const),
  ...(["take the lock", "renew the lock", "release the lock"] as const),
  ...(["read the credentials", "write the credentials"] as const),
];

/** How often each is done in a world, more or less: a strike that comes too late strikes nobody. */
const often: Partial<Record<OperationKind, number>> = { issue: 4, write: 8, read: 15, probe: 20 };

/** What makes two rotators believe in their lock at the same time, or write late. */
const overlapping: readonly (readonly [OperationKind, FaultKind])[] = [
  ["issue", "pause"],
  ["issue", "suspend"],
  ["issue", "executed-late"],
  ["issue", "executed-late"],
  ["issue", "slow"],
  ["write", "pause"],
  ["write", "applied-late"],
  ["write", "applied-late"],
  ["write", "failed"],
  ["write", "crash-after"],
  ["read", "pause"],
  ["read", "suspend"],
  ["renew the lock", "pause"],
  ["renew the lock", "pause"],
  ["renew the lock", "suspend"],
  ["probe", "pause"],
];

export function drawStrike(random: Random, kind: ScenarioKind): Strike {
  if (kind === "overlap") {
    const [operation, fault] = random.pick(overlapping);
    return { operation, nth: random.whole(1, often[operation] ?? 6), fault };
  }
  const operation = random.pick(struckOperations);
  const most = (often[operation] ?? 6) * (kind === "storm" ? 3 : 1);
  return { operation, nth: random.whole(1, most), fault: undefined };
}
