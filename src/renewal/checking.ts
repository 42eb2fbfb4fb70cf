import { chooseAccount } from "./choose-account.ts";
import type { NextState } from "./next-state.ts";
import { unreachable } from "./renewal-end.ts";
import type { RenewalRun } from "./renewal-run.ts";
import { lockMarginMs } from "./renewal-times.ts";

type Checking = Extract<NextState, { to: "checking" }>;

/**
 * R5. The last look before the call. The waiting only spares calls in flight a 401; then the
 * lock is made to outlive the call, and the record must still be what our intent made it.
 */
export async function checking(run: RenewalRun, { standing }: Checking): Promise<NextState> {
  const { parts, held } = run;
  const { clock, times } = parts;
  await parts.users.quiet(times.graceMs);
  if (run.draining.aborted) return { to: "clearing", end: { kind: "shut-down" } };

  const chosen = await chooseAccount(run);
  if ("kind" in chosen) return { to: "clearing", end: chosen };
  const ours = await held.renew().catch(() => false);
  if (!ours || held.heldUntil() - clock.monotonic() < times.issueTimeoutMs + lockMarginMs) {
    return { to: "clearing", end: unreachable("The renewal lock was lost before anything was sent.") };
  }
  try {
    const found = await parts.store.read();
    if (found?.version === standing.version) return { to: "issuing", standing, account: chosen };
  } catch (cause) {
    return { to: "clearing", end: unreachable("The token store could not be read before the call.", cause) };
  }
  return { to: "clearing", end: unreachable("Somebody else changed the record before anything was sent.") };
}
