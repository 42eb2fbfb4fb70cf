import type { Clock } from "../clock.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { Trigger } from "./run.ts";
import type { RenewReply, RenewRequest, RenewalEnd, RenewalState } from "./types.ts";

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
