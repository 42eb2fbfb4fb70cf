import type { Dispatcher, Pool } from "undici";

import type { Clock } from "../clock.ts";
import { createPool } from "./pool.ts";
import type { PoolOptions } from "./pool.ts";

export interface RenewedPoolOptions extends PoolOptions {
  readonly clock: Clock;
}

export interface RenewedPool extends Pick<Dispatcher, "dispatch"> {
  /** What is sent from now on goes over new connections; calls under way end on theirs. */
  renew(): void;
  /** Cuts off all that is under way. */
  destroy(): Promise<void>;
}

/** New connections at least this often, so that a changed address of Presto's name, or another way there, is noticed. */
const lifeMs = 5 * 60_000;

/**
 * A pool for a process that runs for months: after five minutes the next call finds a new
 * one, and the old one is closed once the calls that it has are over.
 */
export function createRenewedPool(options: RenewedPoolOptions): RenewedPool {
  const { clock } = options;
  let current = createPool(options);
  let bornAt = clock.monotonic();
  const closing = new Set<Pool>();

  function renew(): void {
    const old = current;
    current = createPool(options);
    bornAt = clock.monotonic();
    closing.add(old);
    const forget = (): void => void closing.delete(old);
    old.close().then(forget, forget);
  }

  return {
    renew,
    dispatch(request, handler) {
      if (clock.monotonic() - bornAt >= lifeMs) renew();
      return current.dispatch(request, handler);
    },
    async destroy() {
      await Promise.all([current, ...closing].map((pool) => pool.destroy()));
    },
  };
}
