import { createHash, randomBytes } from "node:crypto";

import { timeText } from "./http.ts";

const day = 24 * 60 * 60 * 1000;

/** A token as the sandbox keeps it. */
export interface IssuedToken {
  readonly token: string;
  readonly name: string;
  /** Milliseconds since 1970; at this moment it stops working. */
  readonly expiresAt: number;
  readonly createdAt: number;
  revoked: boolean;
}

/** A token as it may be shown: by fingerprint. */
export interface TokenState {
  /** First 16 hex digits of the token's SHA-256. */
  readonly fingerprint: string;
  readonly token_name: string;
  readonly expiration_date: string;
  readonly created_at: string;
  /** Neither revoked nor expired. At most one is. */
  readonly live: boolean;
}

/** The one account of the sandbox: its password and its one live token. */
export interface Account {
  readonly email: string;
  /** The token made last, live or not. */
  current(): IssuedToken;
  /** Are these the account's e-mail and password? */
  accepts(email: string, password: string): boolean;
  /** Makes a token; every earlier one is dead from here on. `expiresAt`: default in 90 days, rounded up to 00:00 UTC. */
  issue(options?: { readonly name?: string; readonly expiresAt?: number }): IssuedToken;
  /** Kills the live token, as an issue by somebody else would; its fingerprint, or undefined if none was live. */
  revoke(): string | undefined;
  /** Is this the live token? */
  admits(token: string): boolean;
  setPassword(password: string): void;
  tokens(): readonly TokenState[];
  /** As at the start: the first password and the first token, live again. */
  reset(): void;
}

/** What the account starts with. */
export interface AccountOptions {
  readonly email: string;
  readonly password: string;
  /** The first token; default a random one. */
  readonly token: string | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** How old a token says that it is when it is made, milliseconds. */
  readonly issuedAgoMs: number;
}

/** First 16 hex digits of the SHA-256: names a secret without telling it. */
function fingerprint(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 16);
}

/** Creates the account with its first token issued. */
export function createAccount(options: AccountOptions): Account {
  const { email, now, issuedAgoMs } = options;
  let password = options.password;
  let tokens: IssuedToken[] = [];
  const isLive = (token: IssuedToken): boolean => !token.revoked && now() < token.expiresAt;

  const issue = (name: string, expiresAt: number, text: string): IssuedToken => {
    for (const token of tokens) token.revoked = true;
    const issued = { token: text, name, expiresAt, createdAt: now() - issuedAgoMs, revoked: false };
    tokens.push(issued);
    return issued;
  };
  // Both shapes are documented; this one, outside RFC 6750's alphabet, is the harder to carry.
  const makeToken = (): string => `${1110 + tokens.length}|${randomBytes(30).toString("base64url")}`;
  const inDays = (days: number): number => Math.ceil((now() + days * day) / day) * day;

  const first = options.token ?? makeToken();
  let current = issue("sandbox", inDays(90), first);

  return {
    email,
    current: () => current,
    accepts: (givenEmail, givenPassword) => givenEmail === email && givenPassword === password,
    issue({ name = "sandbox", expiresAt = inDays(90) } = {}) {
      current = issue(name, expiresAt, makeToken());
      return current;
    },
    revoke() {
      const live = tokens.find(isLive);
      if (live === undefined) return undefined;
      live.revoked = true;
      return fingerprint(live.token);
    },
    admits: (token) => tokens.some((known) => known.token === token && isLive(known)),
    setPassword(value) {
      password = value;
    },
    tokens: () =>
      tokens.map((token) => ({
        fingerprint: fingerprint(token.token),
        token_name: token.name,
        expiration_date: timeText(token.expiresAt),
        created_at: timeText(token.createdAt),
        live: isLive(token),
      })),
    reset() {
      password = options.password;
      tokens = [];
      current = issue("sandbox", inDays(90), first);
    },
  };
}
