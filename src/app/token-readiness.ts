import { CommandError } from "../errors.ts";
import type { Signals } from "../observe/events.ts";
import { StoreError } from "../store/contract.ts";
import type { TokenSource } from "../token/source.ts";

/** The part of readiness that the token path keeps. */
export interface TokenLatch {
  open(): void;
  close(reason: string): void;
}

/** The token path's signals, and with them the latch: closed until a token was read, then open for good (a rejected token may be a lie, and would take every app's pod down). */
export function withTokenLatch(signals: Signals, latch: TokenLatch): Signals {
  let held = false;
  return {
    ...signals,
    tokenChanged(token) {
      held = true;
      latch.open();
      signals.tokenChanged(token);
    },
    storeFailed(error) {
      if (!held && error instanceof StoreError) latch.close(error.message);
      signals.storeFailed(error);
    },
    renewalEnded(end, nextTryAt) {
      if (!held && "detail" in end) latch.close(`There is no token yet. ${end.detail}`);
      signals.renewalEnded(end, nextTryAt);
    },
  };
}

/**
 * First read of the store. Where nothing is there yet the sidecar starts, and is not ready;
 * what is there and can't be read is a mistake that only a person can mend.
 * @param hint how one gets there, in a sentence
 * @throws CommandError `configuration`
 */
export async function startTokens(
  tokens: Pick<TokenSource, "start" | "record">,
  latch: TokenLatch,
  hint: string,
): Promise<void> {
  try {
    await tokens.start();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code !== "not-yet") throw new CommandError("configuration", error.message, error);
    return;
  }
  if ((tokens.record()?.token ?? null) === null) latch.close(`The store holds no token yet. ${hint}`);
}
