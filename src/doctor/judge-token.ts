import type { TokenRecord } from "../store/contract.ts";
import type { IssuingFacts } from "./doctor-options.ts";
import { fail, type Finding, ok, skip, warn } from "./finding.ts";
import { daysLeft, spanOf } from "./span.ts";

/** What a record is judged by. */
export interface TokenFacts {
  readonly record: TokenRecord | undefined;
  readonly store: "env" | "file";
  /** Undefined where this role issues no tokens. */
  readonly issuing: Pick<IssuingFacts, "automatic" | "renewAt"> | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
}

/** Whoever is told of a token's near end in days can still act by hand. */
const warnFromDays = 7;

/** Is a token there, how long does it live, and does anything stand in the way of the next one? */
export function judgeToken(facts: TokenFacts): Finding[] {
  return [judgePresence(facts), judgeLife(facts), judgeRenewal(facts)];
}

function judgePresence({ record, issuing }: TokenFacts): Finding {
  const token = record?.token ?? null;
  if (record !== undefined && token !== null) {
    return ok("token", `Generation ${record.generation}, fingerprint ${token.fingerprint()}.`);
  }
  if (issuing?.automatic === true) {
    return warn("token", "There is none yet.", "Start the sidecar, which has Presto issue the first one.");
  }
  return fail(
    "token",
    "no-token",
    "There is no token in the store.",
    issuing === undefined
      ? "Have the role that issues put one there, or run: presto-sidecar token import"
      : "PRESTO_RENEW is manual: run presto-sidecar token issue, or presto-sidecar token import",
  );
}

function judgeLife({ record, store, issuing, now }: TokenFacts): Finding {
  if (record === undefined || record.token === null) return skip("token-life", "There is no token.");
  const { issuedAt, expiresAt } = record;
  if (expiresAt === null) {
    return store === "env"
      ? skip("token-life", "A token of env: comes without the date of its end.")
      : warn(
          "token-life",
          "When the token ends is not known, so it is renewed only once Presto refuses it.",
          "Import it again with --expires, or run: presto-sidecar token renew",
        );
  }
  const left = expiresAt.getTime() - now;
  const ends = `at ${expiresAt.toISOString()}`;
  if (left <= 0) {
    const detail = `The token has expired, ${ends}.`;
    return issuing?.automatic === true
      ? warn("token-life", detail, "Start the sidecar, which renews it at once; where one runs, see its log.")
      : fail("token-life", "refused", detail, "Have the role that issues renew it, or import a live one.");
  }
  const detail = `The token lives for ${spanOf(left)}, until ${expiresAt.toISOString()}.`;
  if (issuing?.automatic !== true) {
    return daysLeft(left) < warnFromDays
      ? warn("token-life", detail, "See that the role that issues runs, or put a newer one there in time.")
      : ok("token-life", detail);
  }
  // Jitter and a window put a renewal off, but not by half of what is planned to be left.
  const life = issuedAt === null ? undefined : expiresAt.getTime() - issuedAt.getTime();
  const overdue = life !== undefined && left < (life * (1 - issuing.renewAt)) / 2;
  return overdue
    ? warn(
        "token-life",
        `${detail} By PRESTO_RENEW_AT it should have been renewed before.`,
        "See that a sidecar runs that renews it, and what its log says; by hand: presto-sidecar token renew",
      )
    : ok("token-life", detail);
}

function judgeRenewal({ record, store, issuing }: TokenFacts): Finding {
  if (store === "env") return skip("renewal", "A token of env: is renewed elsewhere.");
  if (record === undefined) return skip("renewal", "There is no record.");
  const { stopped, intent } = record;
  if (stopped !== null) {
    const detail = `Renewing is stopped since ${stopped.at.toISOString()}: ${stopped.reason.replaceAll(/\p{Cc}/gu, " ")}`;
    const mend =
      "Find out who else issues tokens with this account, then run: presto-sidecar token renew --force";
    const sentence = detail.endsWith(".") ? detail : `${detail}.`;
    // What serves goes on serving; only who issues is stopped by it.
    return issuing === undefined
      ? warn("renewal", sentence, mend)
      : fail("renewal", "refused", sentence, mend);
  }
  if (intent !== null) {
    return warn(
      "renewal",
      `One was begun at ${intent.at.toISOString()}, and its end is not known yet.`,
      "Wait for the sidecar that renews to end it; where none runs: presto-sidecar token renew",
    );
  }
  return ok("renewal", "None is under way, and nothing stops the next one.");
}
