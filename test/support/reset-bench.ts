import type { Account, ResetEnd } from "../../src/presto/auth.ts";
import { type ResetOutcome, type ResetDeps, settleReset } from "../../src/presto/password-reset.ts";
import type { Secret } from "../../src/secret.ts";
import { type Credentials, type StoredCredentials, StoreError } from "../../src/store/contract.ts";
import type { RequestControl } from "../../src/upstream/request-once.ts";
import { createHandClock, type HandClock } from "./hand-clock.ts";
import { plain, type PlainCredentials } from "./plain-credentials.ts";

/** How one write goes: `lost` is applied, but its answer is not heard; `failed` is not applied. */
export type WriteFate = "written" | "lost" | "failed" | { readonly refusedBy: Credentials };

/** One password reset after the other, with what came of it. */
export interface ResetBench {
  readonly clock: HandClock;
  readonly calls: {
    readonly account: Account;
    readonly newPassword: Secret;
    readonly storedThen: PlainCredentials;
  }[];
  /** What is stored now, in the open. */
  readonly now: () => PlainCredentials | undefined;
  readonly reset: (wanted: Secret | undefined, more?: Partial<ResetDeps>) => Promise<ResetOutcome>;
  /** Reads of the store fail from now on. */
  failReads: boolean;
}

/** Credentials in memory whose writes go as the test says, and a Presto that answers as it says. */
export function createResetBench(
  first: Credentials | undefined,
  answer: ResetEnd | ((control: RequestControl) => Promise<ResetEnd>),
  fates: WriteFate[] = [],
): ResetBench {
  const clock = createHandClock();
  const calls: ResetBench["calls"] = [];
  let serial = 0;
  let stored: StoredCredentials | undefined;
  const put = (credentials: Credentials): string => {
    serial += 1;
    stored = { credentials, version: String(serial) };
    return stored.version;
  };
  if (first !== undefined) put(first);
  const self: ResetBench = {
    clock,
    calls,
    failReads: false,
    now: () => stored && plain(stored.credentials),
    reset: (newPassword, more) =>
      settleReset(
        {
          clock,
          random: () => 0.5,
          mayBegin: () => true,
          signal: new AbortController().signal,
          store: {
            async read() {
              if (self.failReads) throw new StoreError("unreadable", "no read");
              return stored;
            },
            async write(credentials, expected) {
              const fate = fates.shift() ?? "written";
              if (typeof fate === "object") put(fate.refusedBy);
              if (fate === "failed") throw new StoreError("unreadable", "no write");
              if (expected !== stored?.version) return { outcome: "refused" };
              const version = put(credentials);
              if (fate === "lost") throw new StoreError("unreadable", "no answer");
              return { outcome: "written", version };
            },
          },
          issuer: {
            async resetPassword(account, newWord, control) {
              if (stored === undefined) throw new Error("called without credentials");
              calls.push({ account, newPassword: newWord, storedThen: plain(stored.credentials) });
              return typeof answer === "function" ? answer(control) : answer;
            },
          },
          ...more,
        },
        newPassword,
      ),
  };
  return self;
}
