import { randomBytes } from "node:crypto";

import type { Clock } from "../clock.ts";
import { Secret } from "../secret.ts";

/**
 * What one harmless GET showed: whether Presto let the token in. `other` is everything that
 * proves nothing: no answer, 403, 429, 5xx, a page of some gateway.
 */
export type ProbeAnswer = "success" | "unauthorized" | "not-found" | "other";

/** At most one token of an account lives, so this verdict decides about all of them. */
export type ProbeVerdict = "alive" | "dead" | "unclear";

export interface ProbeOptions {
  /** Sends the GET with this token, on a connection of its own. Never rejects. */
  readonly ask: (token: Secret) => Promise<ProbeAnswer>;
  readonly clock: Clock;
}

/** Between two 401s, milliseconds: one can lie while Presto's own replicas catch up. */
const apartMs = 2_000;

/**
 * Finds out whether a token lives, as the renewal protocol says: 401 twice, on different
 * connections and 2 s apart, is dead; success is alive; "no such transaction" is alive only
 * if a made-up token gets 401 for the same question, since some servers look for the record
 * before they look at the token. All else is unclear, and nothing follows from it.
 */
export function createProbe({ ask, clock }: ProbeOptions): (token: Secret) => Promise<ProbeVerdict> {
  let looksAtTokenFirst = false;

  async function tokenIsLookedAtFirst(): Promise<boolean> {
    if (!looksAtTokenFirst)
      looksAtTokenFirst = (await ask(new Secret(randomBytes(32).toString("hex")))) === "unauthorized";
    return looksAtTokenFirst;
  }

  return async (token) => {
    switch (await ask(token)) {
      case "success":
        return "alive";
      case "not-found":
        return (await tokenIsLookedAtFirst()) ? "alive" : "unclear";
      case "unauthorized":
        await clock.sleep(apartMs);
        return (await ask(token)) === "unauthorized" ? "dead" : "unclear";
      case "other":
        return "unclear";
    }
  };
}
