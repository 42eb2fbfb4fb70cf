import { Failure } from "../errors.ts";
import type { ResetOutcome } from "../presto/password-reset.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import type { Io } from "./command.ts";
import { printJson, printLine } from "./output.ts";
import { reasonOf } from "./reason.ts";

/** What is known once Presto has the new password. */
export interface ChangedPassword {
  /** False: it could not be written in the old one's place, and still stands there as the pending one. */
  readonly stored: boolean;
  /** It was a new password of an earlier run, which was settled now. */
  readonly earlier: boolean;
  /** Whether the stored token still lives; undefined where none is stored. */
  readonly token: ProbeVerdict | undefined;
}

/** Tells, where machines read it too, that the password was changed. */
export function tellChanged(io: Io, { stored, earlier, token }: ChangedPassword, asJson: boolean): void {
  if (asJson) {
    printJson(io, { changed: true, stored, earlier, token: token ?? null });
    return;
  }
  printLine(
    io,
    earlier
      ? "The password reset of an earlier run is settled: Presto has its new password. Run the command again to make another."
      : "Presto has the new password. It stands sealed in PRESTO_CREDENTIALS and is shown nowhere.",
  );
  if (token !== undefined) printLine(io, tokenSentences[token]);
}

const tokenSentences: Readonly<Record<ProbeVerdict, string>> = {
  alive: "The stored token still lives.",
  dead: "The stored token is dead (401, asked twice). A running sidecar of role rotator or all renews it by itself; without one: presto-sidecar token renew",
  unclear: "Whether the stored token still lives is not known: Presto gave no answer that tells.",
};

const kept = "Both passwords are kept, and the new one is tried first at the next issue.";
const again = "Run the command again: it tries the same new password again.";

/** The failure that a reset ended with, unless the password was changed and stored. */
export function resetFailure(outcome: ResetOutcome): Failure | undefined {
  switch (outcome.kind) {
    case "changed":
      if (outcome.stored) return undefined;
      return new Failure(
        "unreachable",
        "Presto has the new password, but PRESTO_CREDENTIALS could not be written again. Nothing is lost: it stands there as the pending one, is tried first, and takes the old one's place at the next issue.",
      );
    case "refused":
      return refused(outcome);
    case "not-sent":
      return new Failure(
        "unreachable",
        `Nothing was sent to Presto.${reasonOf(outcome.cause)} The new password stays in PRESTO_CREDENTIALS as the pending one. ${again}`,
        outcome.cause,
      );
    case "unclear":
      return new Failure(
        "unreachable",
        `It is not known whether Presto changed the password: it gave no answer that tells.${reasonOf(outcome.cause)} ${kept} ${again}`,
        outcome.cause,
      );
  }
}

function refused(outcome: Extract<ResetOutcome, { readonly kind: "refused" }>): Failure {
  const { status, detail, retryAfterMs, dropped } = outcome;
  switch (status) {
    case 401:
      return new Failure(
        "refused",
        `${detail} ${kept} If neither works, move the file of PRESTO_CREDENTIALS away, keep it, and run: presto-sidecar credentials import`,
      );
    case 422:
      return new Failure(
        "refused",
        `${detail} ${dropped ? "The new password was dropped, and the old one stays." : `The new password can't be one, but PRESTO_CREDENTIALS could not be written to drop it. ${again}`}`,
      );
    case 429: {
      const when = retryAfterMs === undefined ? "later" : `in ${Math.ceil(retryAfterMs / 1000)} s`;
      return new Failure(
        "try-again",
        `${detail} The new password stays in PRESTO_CREDENTIALS as the pending one. Run the command again ${when}: it tries the same new password again.`,
      );
    }
  }
}
