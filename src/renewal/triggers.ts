import type { TokenRecord } from "../store/contract.ts";
import type { RenewRequests } from "./requests.ts";
import type { Retry } from "./retry.ts";
import type { RenewalDeps, Trigger } from "./run.ts";
import type { RenewalEnd } from "./types.ts";

export interface TriggersDeps {
  readonly deps: Pick<RenewalDeps, "automatic" | "isDue" | "accounts">;
  /** What stands in the store, as it was last read; undefined where nothing does. */
  readonly standing: () => TokenRecord | undefined;
  /** When it is to be renewed by the clock; null if that is not known. */
  readonly dueAt: (record: TokenRecord | undefined) => Date | null;
  readonly requests: Pick<RenewRequests, "pending" | "isUntried">;
  readonly retry: Pick<Retry, "leftMs" | "hurry" | "forget">;
  /** Is a token remembered that is not what stands in the store, at our home? */
  readonly isMissing: () => boolean;
  /** Was the record written for another object, with nothing remembered to put in its place? Then only a person's force is a reason. */
  readonly isBlocked: () => boolean;
}

/** One look at the clocks. Whoever asked them again, for how long to wait, could find that the moment has passed in between, and wait for nothing. */
export interface Moment {
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
  readonly monotonic: number;
}

/** A reason for a run; or else in how many milliseconds time alone will be one, `Infinity` where it never will. */
export type Reason = { readonly trigger: Trigger } | { readonly trigger: undefined; readonly inMs: number };

/** What can begin a renewal: the clock, people, tokens that were refused, intents that nobody works on. */
export interface Triggers {
  /** What there is to do at this moment, by what is known; R1 reads afresh and decides. */
  find(moment: Moment): Reason;
  /** Presto answered 401 to this token of ours. */
  tokenRejected(tokenId: string): void;
  /** The credentials may have changed, or a person wants those that were refused tried once more. */
  credentialsChanged(): void;
  /** Why no password that is known works; undefined while that is not so. */
  credentialsRefused(): string | undefined;
  /** A run begins with this. What is answered hears of its end: what has become known meanwhile is not settled by it. */
  begin(trigger: Trigger): (end: RenewalEnd) => void;
}

const nothing: ReadonlySet<string> = new Set();

/** Old tokens are reported late, if at all. */
const mostRejected = 16;

export function createTriggers(options: TriggersDeps): Triggers {
  const { deps, standing, dueAt, requests, retry } = options;
  /** A first look under the lock settles what an earlier process left. */
  let hasLooked = false;
  /** Ids of tokens that Presto answered 401 to, and that no run has looked into since. */
  const rejected = new Set<string>();
  let credentialsRefused: string | undefined;
  /** How often the credentials may have changed. */
  let changes = 0;

  return {
    find({ now, monotonic }) {
      const record = standing();
      const request = requests.pending();
      const counted = deps.automatic ? rejected : nothing;
      const begin: Reason = { trigger: { request, rejected: new Set(counted) } };
      const wait = (inMs: number): Reason => ({ trigger: undefined, inMs });
      if (options.isBlocked() && request?.force !== true) return wait(Infinity);
      if (requests.isUntried() && credentialsRefused === undefined) return begin;
      const putOffMs = retry.leftMs(monotonic);
      if (putOffMs > 0) return wait(putOffMs);
      // Also while the alarm is latched, and though the stored token works.
      if (options.isMissing()) return begin;
      if (!hasLooked || (request !== undefined && credentialsRefused === undefined)) return begin;
      if (record !== undefined && record.stopped !== null) return wait(Infinity);
      if (record !== undefined && record.intent !== null) return begin;
      if (credentialsRefused !== undefined) return wait(Infinity);
      const id = record?.token?.fingerprint();
      const isRejected = id !== undefined && counted.has(id);
      if (isRejected || deps.isDue(record, now)) return begin;
      // The window may have closed again since: then it is looked at now and then.
      const dueInMs = deps.automatic ? (dueAt(record)?.getTime() ?? Infinity) - now : Infinity;
      return wait(dueInMs > 0 ? dueInMs : Infinity);
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
      deps.accounts.forget();
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
