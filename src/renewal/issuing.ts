import { untilAborted, within } from "../lib/async.ts";
import { dayMs } from "../lib/duration.ts";
import type { Account, IssueEnd } from "../presto/auth.ts";
import {
  chooseAccount,
  type NextState,
  noteIssued,
  type RenewalRun,
  settleTime,
  type Standing,
} from "./run.ts";
import { lockMarginMs, unreachable } from "./types.ts";

type Checking = Extract<NextState, { to: "checking" }>;

/**
 * R5. The last look before the call. The waiting only spares calls in flight a 401; then the
 * lock is made to outlive the call, and the record must still be what our intent made it.
 */
export async function checking(run: RenewalRun, { standing }: Checking): Promise<NextState> {
  const { deps, held } = run;
  const { clock, times } = deps;
  // A process that is asked to end gives the lock back at once.
  await untilAborted(run.draining, deps.consumer.quiet(times.graceMs));
  if (run.draining.aborted) return { to: "clearing", end: { kind: "shut-down" } };

  const chosen = await chooseAccount(run);
  if ("kind" in chosen) return { to: "clearing", end: chosen };
  const ours = await held.renew().catch(() => false);
  if (!ours || held.heldUntil() - clock.monotonic() < times.issueTimeoutMs + lockMarginMs) {
    return { to: "clearing", end: unreachable("The renewal lock was lost before anything was sent.") };
  }
  try {
    const found = await deps.store.read();
    if (found?.version === standing.version) return { to: "issuing", standing, account: chosen };
  } catch (cause) {
    return { to: "clearing", end: unreachable("The token store could not be read before the call.", cause) };
  }
  return { to: "clearing", end: unreachable("Somebody else changed the record before anything was sent.") };
}

type Issuing = Extract<NextState, { to: "issuing" }>;

/**
 * R6. The one call. After its time it is given up, but still listened to: an answer that
 * comes while it is settled counts.
 */
export async function issuing(run: RenewalRun, { standing, account }: Issuing): Promise<NextState> {
  const { deps, held } = run;
  const { clock, emit, times } = deps;
  const { intent } = standing;
  const call = new AbortController();
  const hangUp = (): void => call.abort();
  run.closing.addEventListener("abort", hangUp, { once: true });
  const begunAt = clock.monotonic();
  emit({ type: "issue-begun", intent: intent.id, reason: intent.reason });
  const answer = deps.issuer
    .issueToken(
      { account, name: deps.tokenName, expiresAt: endOfLife(deps.prestoNow(), deps.tokenDays) },
      {
        mayBegin: () => !run.draining.aborted && clock.monotonic() + times.issueTimeoutMs < held.heldUntil(),
        signal: call.signal,
      },
    )
    .then((heard) => {
      // Now, and not when whoever waits comes to it: a person who asks for another token from here on gets another.
      if (heard.kind === "issued") noteIssued(run, heard.issued, standing);
      return heard;
    })
    .finally(() => run.closing.removeEventListener("abort", hangUp));
  const end = await within(clock, times.issueTimeoutMs, answer);
  const heard = end ?? { kind: "unclear", cause: undefined };
  emit({
    type: "issue-ended",
    intent: intent.id,
    end: heard.kind,
    cause: "cause" in heard ? heard.cause : undefined,
    ms: clock.monotonic() - begunAt,
  });
  if (end !== undefined) return afterIssue(run, standing, account, end);
  return {
    to: "settling",
    standing,
    call: {
      soleCall: intent.soleCall,
      givenUpAt: clock.monotonic(),
      settleMs: settleTime(run, intent.reason),
      late: { end: answer, account, hangUp },
    },
    underThisIntent: true,
  };
}

/** What follows from the end of an issue call, heard in time or late. */
export async function afterIssue(
  run: RenewalRun,
  standing: Standing,
  account: Account,
  end: IssueEnd,
): Promise<NextState> {
  const { clock, accounts } = run.deps;
  switch (end.kind) {
    case "issued":
      run.memory.unclear = undefined;
      return {
        to: "storing",
        standing,
        candidate: { issued: end.issued, account, since: clock.monotonic() },
      };
    case "refused": {
      const { detail, retryAfterMs } = end;
      const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
      if (end.status !== 401) {
        run.memory.unclear = undefined;
        return { to: "clearing", end: { kind: "refused", credentials: false, detail, ...wait } };
      }
      accounts.refused(account);
      const other = await chooseAccount(run);
      if ("kind" in other) {
        run.memory.unclear = undefined;
        return { to: "clearing", end: other };
      }
      if (run.draining.aborted) return { to: "clearing", end: { kind: "shut-down" } };
      // The other password that a reset has left: a call of its own, with an intent of its own.
      return { to: "intending", found: standing, reason: standing.intent.reason, soleCall: false };
    }
    case "not-sent":
      return {
        to: "clearing",
        end: run.draining.aborted
          ? { kind: "shut-down" }
          : { kind: "unreachable", detail: "No issue call could be sent to Presto.", cause: end.cause },
      };
    case "unclear":
      return {
        to: "settling",
        standing,
        call: {
          soleCall: standing.intent.soleCall,
          givenUpAt: clock.monotonic(),
          settleMs: settleTime(run, standing.intent.reason),
        },
        underThisIntent: true,
      };
  }
}

/** Presto counts in days: now and the days asked for, rounded up to the next 00:00 UTC. */
function endOfLife(now: number, days: number): Date {
  return new Date(Math.ceil((now + days * dayMs) / dayMs) * dayMs);
}
