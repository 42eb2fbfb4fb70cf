import { CommandError } from "../errors.ts";
import type { Subscriber } from "../observe/events.ts";
import { StoreError } from "../store/contract.ts";
import type { TokenSource } from "../token/source.ts";

/** The part of readiness that the token path keeps. */
export interface TokenLatch {
  open(): void;
  close(reason: string): void;
}

/** Keeps the latch: closed until a token was read, then open for good (a rejected token may be a lie, and would take every app's pod down). */
export function keepTokenLatch(latch: TokenLatch): Subscriber {
  let held = false;
  return (event) => {
    switch (event.type) {
      case "token-changed":
        held = true;
        latch.open();
        break;
      case "store-failed":
        if (!held && event.error instanceof StoreError) latch.close(event.error.message);
        break;
      case "renewal-ended":
        if (!held && "detail" in event.end) latch.close(`There is no token yet. ${event.end.detail}`);
        break;
      default:
    }
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
