import { openRenewal, renewOnce } from "../app/issuing.ts";
import type { Config } from "../config/sections.ts";
import { Failure } from "../errors.ts";
import type { RenewalParts } from "../renewal/run.ts";
import type { IssuingOptions } from "../renewal/types.ts";
import type { Io } from "./command.ts";
import { renewalNotes } from "./renewal-notes.ts";
import { tellRenewal } from "./renewal-result.ts";
import { lockWaitMs } from "./with-renewal-lock.ts";

/** A configuration whose role may issue. */
export interface IssuingConfig extends Config {
  readonly issuing: IssuingOptions;
}

export interface RenewHere {
  /** Clears the alarm first. */
  readonly force: boolean;
  readonly asJson: boolean;
  /** Called before the lock is taken; whatever it throws ends the command with nothing done. */
  readonly before?: (parts: RenewalParts) => Promise<void>;
}

/** @throws Failure `refused` where the role can't issue */
export function issuingConfig(config: Config): IssuingConfig {
  const { issuing } = config;
  if (issuing !== undefined) return { ...config, issuing };
  throw new Failure(
    "refused",
    `PRESTO_ROLE is ${config.role}, which uses the token and can't issue one. Run this where the role is all or rotator, with the account's credentials.`,
  );
}

/**
 * Renews in this process, under the lock, as a running sidecar would; one that runs follows the store.
 * @returns the exit code 0
 * @throws Failure for every end that is not a good one; `try-again` where another process holds the lock
 */
export async function renewHere(config: IssuingConfig, wish: RenewHere, io: Io): Promise<number> {
  const { parts, close } = await openRenewal(config, {
    clock: io.clock,
    signals: renewalNotes(io, config.issuing.settleMs),
  });
  try {
    await wish.before?.(parts);
    const end = await renewOnce(parts, { force: wish.force, lockWaitMs, signal: io.signal });
    const now = await parts.store.read().catch(() => undefined);
    return tellRenewal(io, end, now?.record, wish.asJson);
  } finally {
    await close();
  }
}
