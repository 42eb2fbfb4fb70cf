import type { Clock } from "../clock.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { Occasion } from "./run.ts";
import type { RenewReply, RenewWish, RenewalEnd, RenewalState } from "./types.ts";

type Wish = NonNullable<Occasion["wish"]>;

/** People who want a new token: all who ask at the same time share one, and each waits for as long as it likes. */
export interface Wishes {
  /** What the next run is to do; undefined if nobody wants anything. */
  pending(): Wish | undefined;
  add(wish: RenewWish, record: TokenRecord | undefined): Promise<RenewReply>;
  /** A run ended; `of` is the wish that it was begun with, `record` what stands in the store now. */
  ended(end: RenewalEnd, of: Wish | undefined, record: TokenRecord | undefined): void;
}

const retryAfterMs = 5_000;

export function createWishes(options: { readonly clock: Clock; readonly state: () => RenewalState }): Wishes {
  let pending: Wish | undefined;
  let waiting = new Set<(reply: RenewReply) => void>();

  /** The wish is answered, and over. */
  function answer(reply: RenewReply): void {
    const all = waiting;
    waiting = new Set();
    pending = undefined;
    for (const resolve of all) resolve(reply);
  }

  return {
    pending: () => pending,
    add(wish, record) {
      if (pending === undefined) pending = { beyond: record?.token?.fingerprint(), force: wish.force };
      else if (wish.force && !pending.force) pending = { ...pending, force: true };
      return new Promise((resolve) => {
        const reply = (given: RenewReply): void => {
          timer.cancel();
          waiting.delete(reply);
          resolve(given);
        };
        // The wish stays due: only this wait for it is over.
        const timer = options.clock.after(wish.waitMs, () =>
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
          if (end.tokenId !== pending.beyond)
            answer({ kind: "renewed", generation: end.generation, expiresAt: end.expiresAt });
          break;
        case "nothing-to-do": {
          const token = record?.token ?? null;
          if (record !== undefined && token !== null && token.fingerprint() !== pending.beyond) {
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
