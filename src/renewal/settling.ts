import { backOffMs, onAbort, sleepUnlessAborted, untilAborted } from "../lib/async.ts";
import type { IssueEnd } from "../presto/auth.ts";
import { plainVerdict, type TokenVerdict } from "../presto/probe.ts";
import { afterIssue } from "./issuing.ts";
import { keepIntent, type KeptIntent } from "./keeping.ts";
import { probeKept, settlingBack } from "./putting-back.ts";
import type { KeptToken } from "./remembering.ts";
import {
  isAboutToEnd,
  isDue,
  isRequested,
  type LateAnswer,
  mayIssue,
  type NextState,
  type RenewalRun,
  type Standing,
} from "./run.ts";

type Settling = Extract<NextState, { to: "settling" }>;

/** Between two probes while it is not known what became of a call. */
const probes = { firstMs: 1_000, mostMs: 10_000 };

/**
 * R4. An issue call may have been executed, or may still be. If it was the only one that can
 * have killed the stored token, a dead token proves that it was, and nothing is waited for.
 * Otherwise SETTLE must pass first, or there would be two calls. A late answer ends it all.
 */
export async function settling(run: RenewalRun, state: Settling): Promise<NextState> {
  const { late } = state.call;
  const kept = keepIntent(run, state.standing);
  try {
    if (late !== undefined) return await settleWithAnswer(run, state, late, kept);
    const concluded = await conclude(run, state, run.draining);
    return await follow(run, state, concluded, await kept.end());
  } finally {
    // However it came to its end: what is kept for nobody would be written for ever.
    await kept.end();
  }
}

/** As long as the call itself may still be answered, which tells more than any probe. */
async function settleWithAnswer(
  run: RenewalRun,
  state: Settling,
  late: LateAnswer,
  kept: KeptIntent,
): Promise<NextState> {
  const over = new AbortController();
  const stopListening = onAbort(run.draining, (reason) => over.abort(reason));
  let answer: IssueEnd | undefined;
  void late.end.then((end) => {
    if (end.kind === "unclear") return;
    answer = end;
    over.abort();
  });
  try {
    const concluded = await conclude(run, state, over.signal);
    const standing = await kept.end();
    // An answer tells more than any probe, also one that came with the probe's.
    if (concluded !== undefined && answer === undefined) return await follow(run, state, concluded, standing);
    // The process ends, but a call that was sent may still be answered: its token would be lost.
    const end = answer ?? (await late.end);
    return end.kind === "unclear" ? shutDown : await afterIssue(run, standing, late.account, end);
  } finally {
    stopListening();
    late.hangUp();
  }
}

/** What stands in the record is left for the next process, which can't know more than this one did. */
const shutDown: NextState = { to: "idle", end: { kind: "shut-down" } };

/** What is to follow: another call, none, or a token that is remembered and lives. */
type Conclusion = "renew" | "not-due" | KeptToken;

/** What probes and time tell; undefined if `signal` came first. */
async function conclude(
  run: RenewalRun,
  state: Settling,
  signal: AbortSignal,
): Promise<Conclusion | undefined> {
  const { standing, call } = state;
  const { clock, times, random } = run.deps;
  const settledAt = call.givenUpAt + (call.settleMs ?? times.settleMs);
  for (let tries = 1; !signal.aborted; tries += 1) {
    const settled = clock.monotonic() >= settledAt;
    if (settled || (call.soleCall && standing.record.token !== null)) {
      const verdict = await untilAborted(signal, probeStored(run, state, settledAt));
      if (verdict === undefined || signal.aborted) return undefined;
      noteVerdict(run, standing, verdict);
      const judged = judge(run, standing, verdict, settled);
      const concluded = judged === "renew" ? await unlessRemembered(run, standing, signal) : judged;
      if (concluded !== undefined || signal.aborted) return signal.aborted ? undefined : concluded;
    }
    const again = backOffMs(probes, tries, random());
    const left = Math.max(0, settledAt - clock.monotonic());
    const untilSettled = call.soleCall ? Math.min(again, left) : left;
    // Judged by what this round was: the moment may have passed while it asked.
    await sleepUnlessAborted(clock, settled ? again : untilSettled, signal);
  }
  return undefined;
}

function noteVerdict({ deps, memory }: RenewalRun, standing: Standing, verdict: TokenVerdict): void {
  const { token } = standing.record;
  if (token === null) return;
  const id = token.fingerprint();
  deps.consumer.probed(token, plainVerdict(verdict));
  if (verdict === "alive") memory.remembered.storedLives(standing, deps.clock.monotonic());
  if (verdict !== "dead") return;
  memory.remembered.died(id);
  memory.accountedFor = id;
}

/** What a probe of the stored token says, at a moment at which no other call may still be executed (`settled`), or before; undefined: nothing yet. */
function judge(
  run: RenewalRun,
  standing: Standing,
  verdict: TokenVerdict,
  settled: boolean,
): "renew" | "not-due" | undefined {
  if (verdict === "dead") return "renew";
  if (!settled) return undefined;
  const lives = verdict === "alive" || verdict === "alive-lately";
  if (lives) return isDue(run, standing) ? "renew" : "not-due";
  // As in R2: what is about to end is replaced, also where no probe tells anything.
  if (verdict !== "young" && isAboutToEnd(run, standing)) return "renew";
  // No probe will ever tell more, and a person wants another token.
  return verdict === "blind" && isRequested(run, standing) ? "renew" : undefined;
}

/** A token that is remembered and not stored may be the one that lives; undefined where that can't be told yet. */
async function unlessRemembered(
  run: RenewalRun,
  standing: Standing,
  signal: AbortSignal,
): Promise<"renew" | KeptToken | undefined> {
  for (const kept of run.memory.remembered.missingIn(standing)) {
    const found = await probeKept(run, kept, signal);
    if (found === "alive") return kept;
    if (found !== "dead") return undefined;
  }
  return "renew";
}

/** @param standing the intent as it stands by now */
function follow(
  run: RenewalRun,
  { underThisIntent }: Settling,
  concluded: Conclusion | undefined,
  standing: Standing,
): NextState | Promise<NextState> {
  switch (concluded) {
    case undefined:
      return shutDown;
    case "not-due":
      return notDue;
    case "renew":
      return renew(run, standing, underThisIntent);
    default:
      return settlingBack(run, standing, concluded);
  }
}

const notDue: NextState = {
  to: "clearing",
  end: { kind: "nothing-to-do", detail: "An earlier renewal had left its intent; the stored token lives." },
};

/** A call that was sent after SETTLE, and accepted, says that no earlier one can have killed the token. */
async function probeStored(
  { deps }: RenewalRun,
  { standing }: Settling,
  settledAt: number,
): Promise<TokenVerdict> {
  const { token, issuedAt } = standing.record;
  // Where there is none yet, nothing can be learnt but by waiting.
  if (token === null) return "dead";
  return deps.mayLeave() ? deps.probe(token, { issuedAt, acceptedFrom: () => settledAt }) : "unclear";
}

/**
 * Every call has an intent of its own: under one that stands for a call already, another is written first. So it
 * is under one that was settled for long and is the lock, whose term begins with its write.
 */
function renew(run: RenewalRun, standing: Standing, underThisIntent: boolean): NextState {
  if (!mayIssue(run, standing)) {
    return {
      to: "clearing",
      end: {
        kind: "nothing-to-do",
        detail:
          "The stored token is dead or about to end, and PRESTO_RENEW is manual. Run: presto-sidecar token renew",
      },
    };
  }
  if (!underThisIntent && run.held.intent === undefined) return { to: "checking", standing };
  // The intent explains the dead token to the next process.
  if (run.draining.aborted) return shutDown;
  return { to: "intending", found: standing, reason: standing.intent.reason, soleCall: false };
}
