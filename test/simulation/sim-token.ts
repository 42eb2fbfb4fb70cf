import { Secret } from "../../src/secret.ts";

/** A token that Presto has made. */
export interface SimToken {
  /** `T7`, for the story. */
  readonly name: string;
  readonly secret: Secret;
  /** Simulated milliseconds. */
  readonly bornAt: number;
  /** Wall clock of Presto. */
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** Who had it made: a process, or `somebody else`. */
  readonly madeFor: string;
}

/** The tokens of one world, dead and alive, by their text. */
export interface SimTokens {
  make(token: Omit<SimToken, "name" | "secret">): SimToken;
  /** `T7`, or what it is instead. */
  nameOf(secret: Secret | null | undefined): string;
}

export function createSimTokens(): SimTokens {
  const names = new Map<string, string>();
  return {
    make(token) {
      const name = `T${names.size + 1}`;
      const secret = new Secret(`simulated-token-${names.size + 1}`);
      names.set(secret.reveal(), name);
      return { ...token, name, secret };
    },
    nameOf: (secret) =>
      secret === null || secret === undefined
        ? "no token"
        : (names.get(secret.reveal()) ?? "a made-up token"),
  };
}
