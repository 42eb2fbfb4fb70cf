import type { TokenRecord } from "../store/contract.ts";
import type { RenewRequests } from "./renew-requests.ts";
import type { Retry } from "./retry.ts";
import type { RenewalDeps, Trigger } from "./run.ts";
import type { RenewalEnd } from "./types.ts";

export interface TriggersDeps {
  readonly deps: Pick<RenewalDeps, "automatic" | "isDue">;
  /** The record in hand, as the store was last read. */
  readonly current: () => TokenRecord | undefined;
  readonly requests: Pick<RenewRequests, "pending">;
  readonly retry: Pick<Retry, "isPutOff" | "hurry" | "forget">;
}

/** What can begin a renewal: the clock, people, tokens that were refused, intents that nobody works on. */
export interface Triggers {
  /** What there is to do now, by what is known; R1 reads afresh and decides. Undefined: nothing. */
  find(): Trigger | undefined;
  /** Presto answered 401 to this token of ours. */
  tokenRejected(tokenId: string): void;
  /** The credentials may have changed. */
  credentialsChanged(): void;
  /** Why no password that is known works; undefined while that is not so. */
  credentialsRefused(): string | undefined;
  /** A run begins with this. What is answered hears of its end: what has become known meanwhile is not settled by it. */
  begin(trigger: Trigger): (end: RenewalEnd) => void;
}

/** Old tokens are reported late, if at all. */
const mostRejected = 16;

export function createTriggers({ deps, current, requests, retry }: TriggersDeps): Triggers {
  /** A first look under the lock settles what an earlier process left. */
  let hasLooked = false;
  /** Ids of tokens that Presto answered 401 to, and that no run has looked into since. */
  const rejected = new Set<string>();
  let credentialsRefused: string | undefined;
  /** How often the credentials may have changed. */
  let changes = 0;

  return {
    find() {
      const record = current();
      const request = requests.pending();
      const found = { request, rejected: new Set(deps.automatic ? rejected : []) };
      if (request !== undefined && credentialsRefused === undefined) return found;
      if (retry.isPutOff()) return undefined;
      if (!hasLooked) return found;
      if (record !== undefined && record.stopped !== null) return undefined;
      if (record !== undefined && record.intent !== null) return found;
      if (credentialsRefused !== undefined) return undefined;
      const id = record?.token?.fingerprint();
      const isRejected = id !== undefined && found.rejected.has(id);
      return isRejected || deps.isDue(record) ? found : undefined;
    },
    tokenRejected(tokenId) {
      if (!rejected.has(tokenId)) retry.hurry();
      const [oldest] = rejected;
      if (rejected.size >= mostRejected && oldest !== undefined) rejected.delete(oldest);
      rejected.add(tokenId);
    },
    credentialsChanged() {
      credentialsRefused = undefined;
      changes += 1;
      retry.forget();
    },
    credentialsRefused: () => credentialsRefused,
    begin(trigger) {
      const changesBefore = changes;
      return (end) => {
        hasLooked = true;
        if (end.kind === "renewed") credentialsRefused = undefined;
        if (end.kind === "refused" && end.credentials && changes === changesBefore)
          credentialsRefused = end.detail;
        // A report that came meanwhile, of the token that is new, stays.
        if (end.kind === "renewed" || end.kind === "nothing-to-do")
          for (const id of trigger.rejected) rejected.delete(id);
      };
    },
  };
}
