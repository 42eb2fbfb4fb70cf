import { Failure } from "../errors.ts";
import type { RenewalEnd } from "../renewal/types.ts";
import { StoreError, type TokenRecord } from "../store/contract.ts";
import type { Io } from "./command.ts";
import { printJson, printLine } from "./output.ts";
import { reasonOf } from "./reason.ts";

const command = "presto-sidecar token renew --force";

/** Why the alarm is on, and what a person can do about it, which the reason may say already. */
export function tellAlarm(reason: string): string {
  if (reason.includes(command)) return reason;
  return `${reason} Find out who else issues tokens on this account, and end that; then clear the alarm with: ${command}`;
}

/**
 * Tells how a renewal of this command's own ended.
 * @param record what stands in the store now; undefined where it could not be read
 * @returns the exit code 0
 * @throws Failure for every end that is not a good one
 */
export function tellRenewal(
  io: Io,
  end: RenewalEnd,
  record: TokenRecord | undefined,
  asJson: boolean,
): number {
  switch (end.kind) {
    case "renewed": {
      const expires = end.expiresAt?.toISOString() ?? null;
      if (asJson) {
        const name = record?.token?.fingerprint() === end.tokenId ? record.name : null;
        printJson(io, {
          renewed: true,
          generation: end.generation,
          expires_at: expires,
          fingerprint: end.tokenId,
          name,
        });
        return 0;
      }
      printLine(io, `A new token is stored as generation ${end.generation}, fingerprint ${end.tokenId}.`);
      printLine(io, expires === null ? "When it expires is unknown." : `It expires at ${expires}.`);
      return 0;
    }
    case "nothing-to-do":
      if (asJson) {
        printJson(io, {
          renewed: false,
          detail: end.detail,
          generation: record?.generation ?? null,
          expires_at: record?.expiresAt?.toISOString() ?? null,
          fingerprint: record?.token?.fingerprint() ?? null,
          name: record?.name ?? null,
        });
        return 0;
      }
      printLine(io, `Nothing was issued. ${end.detail}`);
      return 0;
    default:
      throw failureOf(end);
  }
}

function failureOf(
  end: Exclude<RenewalEnd, { readonly kind: "renewed" | "nothing-to-do" }>,
): Failure | StoreError {
  switch (end.kind) {
    case "stopped":
      return new Failure("refused", `The alarm is on, and nothing was issued. ${tellAlarm(end.detail)}`);
    case "refused":
      return new Failure("refused", `${end.detail}${mendOf(end)}`);
    case "unreachable":
      return unreachable(end);
    case "lost":
      return new Failure(
        "unreachable",
        `${end.detail} See what stands in the store (presto-sidecar token show), and run the command again if it does not live.`,
      );
    case "shut-down":
      return new Failure(
        "try-again",
        "The renewal was stopped before its end. If it is not known whether Presto executed the call, that stands in the record, and the next process that renews settles it: run the command again, or start the sidecar.",
      );
  }
}

function mendOf({ credentials, retryAfterMs }: Extract<RenewalEnd, { readonly kind: "refused" }>): string {
  if (credentials)
    return " Put the right ones in place (presto-sidecar credentials import, or the variables).";
  return retryAfterMs === undefined ? "" : ` Try again in ${Math.ceil(retryAfterMs / 1000)} s.`;
}

/** What trying again can't mend, such as a wrong key or credentials that are not there, ends with its own code. */
function unreachable({
  detail,
  cause,
}: Extract<RenewalEnd, { readonly kind: "unreachable" }>): Failure | StoreError {
  if (cause instanceof Failure && cause.code === "configuration") return cause;
  if (cause instanceof StoreError && ["wrong-key", "damaged", "newer-schema"].includes(cause.code)) {
    return cause;
  }
  const reason = cause instanceof Error && detail.includes(cause.message) ? "" : reasonOf(cause);
  return new Failure("unreachable", `${detail}${reason}`, cause);
}
