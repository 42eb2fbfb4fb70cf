import type { Clock } from "../clock.ts";
import type { Evidence } from "../token/health.ts";
import type { TokenSource } from "../token/source.ts";
import type { TokenUsers } from "./run.ts";

export interface UsersHereOptions {
  readonly tokens: Pick<TokenSource, "refresh" | "offer" | "withdraw" | "probed">;
  readonly evidence: Pick<Evidence, "issued">;
  /** Calls `run` once no call is being sent; answers what calls that off. Undefined where calls are sent by other processes only. */
  readonly whenQuiet: ((run: () => void) => () => void) | undefined;
  readonly clock: Clock;
}

/** The token path of this process, as a renewal sees it. */
export function usersHere({ tokens, evidence, whenQuiet, clock }: UsersHereOptions): TokenUsers {
  return {
    // What can't be read now is read by the next poll; the failure was signalled.
    noticeRecord: () => tokens.refresh().catch(() => {}),
    quiet(maxMs) {
      if (whenQuiet === undefined) return clock.sleep(maxMs);
      return new Promise((resolve) => {
        const timer = clock.after(maxMs, () => {
          callOff();
          resolve();
        });
        const callOff = whenQuiet(() => {
          timer.cancel();
          resolve();
        });
      });
    },
    serve({ token, expiresAt }, generation) {
      evidence.issued(token.fingerprint());
      tokens.offer({ token, generation, expiresAt });
    },
    withdraw: (candidate) => tokens.withdraw(candidate),
    probed(token, verdict) {
      if (verdict !== "unclear") tokens.probed(token, verdict);
    },
  };
}
