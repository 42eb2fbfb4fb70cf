import { readDuration } from "../lib/duration.ts";
import type { RenewWish } from "../renewal/types.ts";

const defaultWaitMs = 30_000;
/** Who wants to know more asks `/status`: a connection should not be kept open for hours. */
const longestWaitMs = 10 * 60_000;

/** A wish, or one sentence that says what was wrong with it and what to do. */
export type WishReading =
  | { readonly ok: true; readonly wish: RenewWish }
  | { readonly ok: false; readonly detail: string };

/**
 * Reads the query of `POST /renew`. Strictly: `force` revokes a token that works, so nothing
 * here is guessed at, and a parameter that was misspelt does not go by as one left out.
 * @param target the request target: `/renew?force=1&wait=30s`
 */
export function readRenewWish(target: string): WishReading {
  const start = target.indexOf("?");
  let force: true | undefined;
  let waitMs: number | undefined;
  for (const [name, value] of new URLSearchParams(start < 0 ? "" : target.slice(start + 1))) {
    if (name === "force") {
      if (force !== undefined) return refused("The parameter force was given twice; give it once.");
      if (value !== "1") return refused("The parameter force takes the value 1 only; else leave it out.");
      force = true;
    } else if (name === "wait") {
      if (waitMs !== undefined) return refused("The parameter wait was given twice; give it once.");
      waitMs = readDuration(value);
      if (waitMs === undefined)
        return refused("The parameter wait is no duration; write it like 250ms, 10s or 5m.");
      if (waitMs > longestWaitMs)
        return refused("The parameter wait is too long; 10m is the most. The renewal goes on without it.");
    } else {
      return refused("POST /renew knows the parameters force=1 and wait=30s, and no other; leave it out.");
    }
  }
  return { ok: true, wish: { force: force ?? false, waitMs: waitMs ?? defaultWaitMs } };
}

function refused(detail: string): WishReading {
  return { ok: false, detail };
}
