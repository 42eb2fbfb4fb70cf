import { Secret } from "../../src/secret.ts";
import type { Intent, TokenRecord } from "../../src/store/contract.ts";
import type { SimToken } from "./sim-token.ts";
import type { World } from "./world.ts";

const dayMs = 24 * 3_600_000;

/** Puts into store and Presto what the world begins with. */
export function makeBeginning({ scenario, presto, store, timeline, random }: World): void {
  const { kind, beginning, tokenDays, epoch, times } = scenario;
  if (beginning === "empty") return;
  const expiresAt = new Date(Math.ceil((epoch + (tokenDays - 1) * dayMs) / dayMs) * dayMs);
  if (kind === "put-back") {
    // What is put back may be older than anything that anybody here has seen.
    const earlier = presto.issue("those who came before", expiresAt);
    store.put({ ...recordOf(earlier, null), generation: 6 });
  }
  const first = presto.issue("those who came before", expiresAt);
  if (beginning === "dead") presto.issue("somebody else", new Date(epoch + tokenDays * dayMs));
  const record = recordOf(first, beginning === "intent" ? ghostIntent(random.chance(0.5)) : null);
  const stopped = beginning === "stopped" ? { reason: "a rival", at: new Date(epoch) } : null;
  store.put({ ...record, stopped });
  // Its holder died on the way: the call was executed, or will be, or was never made.
  if (beginning === "intent" && random.chance(0.7)) {
    const latestMs = scenario.settleTooShort ? 30_000 : times.settleMs;
    timeline.after(random.between(0, latestMs), () => {
      presto.issue("one who died", new Date(epoch + tokenDays * dayMs));
    });
  }
}

function ghostIntent(soleCall: boolean): Intent {
  return { id: "ghost#1", holder: "ghost", soleCall, reason: "scheduled", at: new Date(0) };
}

function recordOf(token: SimToken, intent: Intent | null): TokenRecord {
  return {
    schema: 1,
    generation: 7,
    token: new Secret(token.secret.reveal()),
    name: "simulated",
    issuedAt: token.issuedAt,
    expiresAt: token.expiresAt,
    intent,
    unexplainedDeaths: [],
    stopped: null,
    writtenBy: null,
  };
}
