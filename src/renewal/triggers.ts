import type { Clock } from "../clock.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { Retry } from "./retry.ts";
import type { RenewalDeps, Trigger } from "./run.ts";
import type { RenewReply, RenewRequest, RenewalEnd, RenewalState } from "./types.ts";

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

type Request = NonNullable<Trigger["request"]>;

/** People who want a new token: all who ask at the same time share one, and each waits for as long as it likes. */
export interface RenewRequests {
  /** What the next run is to do; undefined if nobody wants anything. */
  pending(): Request | undefined;
  add(request: RenewRequest, record: TokenRecord | undefined): Promise<RenewReply>;
  /** A run ended; `of` is the request that it was begun with, `record` what stands in the store now. */
  ended(end: RenewalEnd, of: Request | undefined, record: TokenRecord | undefined): void;
}

const retryAfterMs = 5_000;

export function createRenewRequests(options: {
  readonly clock: Clock;
  readonly state: () => RenewalState;
}): RenewRequests {
  let pending: Request | undefined;
  let waiting = new Set<(reply: RenewReply) => void>();

  /** The request is answered, and over. */
  function answer(reply: RenewReply): void {
    const all = waiting;
    waiting = new Set();
    pending = undefined;
    for (const resolve of all) resolve(reply);
  }

  return {
    pending: () => pending,
    add(request, record) {
      if (pending === undefined) pending = { replacing: record?.token?.fingerprint(), force: request.force };
      else if (request.force && !pending.force) pending = { ...pending, force: true };
      return new Promise((resolve) => {
        const reply = (given: RenewReply): void => {
          timer.cancel();
          waiting.delete(reply);
          resolve(given);
        };
        // The request stays due: only this wait for it is over.
        const timer = options.clock.after(request.waitMs, () =>
          reply({ kind: "under-way", state: options.state() }),
        );
        waiting.add(reply);
      });
    },
    ended(end, of, record) {
      if (pending === undefined) return;
      const wasTried = of === pending;
      switch (end.kind) {
        case "renewed":
          if (end.tokenId !== pending.replacing)
            answer({ kind: "renewed", generation: end.generation, expiresAt: end.expiresAt });
          break;
        case "nothing-to-do": {
          const token = record?.token ?? null;
          if (record !== undefined && token !== null && token.fingerprint() !== pending.replacing) {
            answer({ kind: "renewed", generation: record.generation, expiresAt: record.expiresAt });
          } else if (wasTried) {
            answer({ kind: "unreachable", detail: end.detail, retryAfterMs });
          }
          break;
        }
        case "stopped":
          if (!pending.force) answer({ kind: "stopped", detail: end.detail });
          break;
        case "refused":
          answer({ kind: "refused", detail: end.detail });
          break;
        case "unreachable":
          if (wasTried) answer({ kind: "unreachable", detail: end.detail, retryAfterMs });
          break;
        case "lost":
          break;
        case "shut-down":
          answer({ kind: "under-way", state: options.state() });
          break;
      }
    },
  };
}
