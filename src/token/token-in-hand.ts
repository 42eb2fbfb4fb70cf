import type { Signals } from "../observe/signals.ts";
import type { Secret } from "../secret.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { Rejections } from "./rejections.ts";
import { createToken, type Token } from "./token.ts";

/** A token that was issued and may not be stored yet. */
export interface Offer {
  readonly token: Secret;
  readonly generation: number;
  readonly expiresAt: Date | null;
}

/** The one token that requests use: the stored one, or one that is offered before it is stored. */
export interface TokenInHand {
  current(): Token | undefined;
  /** Is the one in hand an offered one? Then no renewal is to be waited for. */
  isOffered(): boolean;
  /** What stands in the store now. A record without a token takes none away. */
  stored(record: TokenRecord): void;
  offer(offer: Offer): void;
  /** An offered token is dead. */
  withdraw(tokenId: string): void;
  /** What is held against tokens has changed. */
  chooseAgain(): void;
}

interface HeldToken {
  readonly token: Token;
  readonly expiresAt: Date | null;
}

export function createTokenInHand(options: {
  readonly signals: Pick<Signals, "tokenChanged">;
  readonly rejections: Pick<Rejections, "has">;
}): TokenInHand {
  const { signals, rejections } = options;
  let stored: HeldToken | undefined;
  /** `over`: what was stored when it came, and is dead for certain. */
  let offered: (HeldToken & { readonly over: string | undefined }) | undefined;
  let token: Token | undefined;

  /** An offered token goes before the stored one, unless it was refused and another has been stored since. */
  function chooseAgain(): void {
    const isOvertaken =
      offered !== undefined &&
      stored !== undefined &&
      stored.token.id !== offered.over &&
      rejections.has(offered.token.id) &&
      !rejections.has(stored.token.id);
    const chosen = offered === undefined || isOvertaken ? stored : offered;
    if (chosen?.token.id === token?.id) return;
    token = chosen?.token;
    if (chosen === undefined) return;
    const { generation, id } = chosen.token;
    signals.tokenChanged({ generation, id, expiresAt: chosen.expiresAt });
  }

  return {
    current: () => token,
    isOffered: () => offered !== undefined && offered.token.id === token?.id,
    stored({ token: secret, generation, expiresAt }) {
      if (secret !== null && secret.fingerprint() !== stored?.token.id)
        stored = { token: createToken(secret, generation), expiresAt };
      if (offered !== undefined && offered.token.id === stored?.token.id) offered = undefined;
      chooseAgain();
    },
    offer({ token: secret, generation, expiresAt }) {
      offered = { token: createToken(secret, generation), expiresAt, over: stored?.token.id };
      chooseAgain();
    },
    withdraw(tokenId) {
      if (offered?.token.id !== tokenId) return;
      offered = undefined;
      chooseAgain();
    },
    chooseAgain,
  };
}
