import type { ProbeVerdict } from "../presto/probe.ts";
import type { TokenRecord } from "../store/contract.ts";
import { fail, type Finding, ok, skip, warn } from "./finding.ts";
import type { TokenFacts } from "./judge-token.ts";
import { lateDetail, lateMend, sentenceOf, type Tried } from "./tried.ts";

/** Undefined where the token could not be asked about: Presto's application did not answer. */
export type ProbeFacts = Tried<ProbeVerdict> | undefined;

/** Does Presto accept the stored token? */
export function judgeAccepted(facts: TokenFacts, probed: ProbeFacts): Finding {
  const { record, issuing, store } = facts;
  if (record === undefined || record.token === null)
    return skip("token-accepted", "There is no token to ask about.");
  if (probed === undefined) {
    return skip("token-accepted", "Presto's application could not be asked; see above.");
  }
  if (probed.kind === "late") return fail("token-accepted", "unreachable", lateDetail, lateMend);
  if (probed.kind === "failed") {
    return fail("token-accepted", "unreachable", sentenceOf(probed.error), "See the lines above.");
  }
  switch (probed.value) {
    case "alive":
      return ok("token-accepted", "Presto accepts the stored token.");
    case "unclear":
      return warn(
        "token-accepted",
        "Presto gave no answer that tells whether the stored token lives.",
        "Run this again in a while.",
      );
    case "dead": {
      const detail = "Presto refuses the stored token (401, asked twice).";
      if (issuing?.automatic === true && hasExpired(record, facts.now)) {
        return warn(
          "token-accepted",
          `${detail} It has expired.`,
          "Start the sidecar, which renews it at once.",
        );
      }
      return fail(
        "token-accepted",
        "refused",
        `${detail} It was revoked, has expired, or is of another account.`,
        deadMend(store, issuing !== undefined),
      );
    }
  }
}

function deadMend(store: TokenFacts["store"], issues: boolean): string {
  if (store === "env") return "Put the live token into PRESTO_TOKEN, or into the file of PRESTO_TOKEN_FILE.";
  return issues
    ? "Have a new one issued, by a sidecar that runs or with: presto-sidecar token renew"
    : "Have the role that issues renew it, or run: presto-sidecar token import";
}

function hasExpired({ expiresAt }: TokenRecord, now: number): boolean {
  return expiresAt !== null && expiresAt.getTime() <= now;
}
