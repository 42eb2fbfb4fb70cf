import type { Secret } from "../secret.ts";

/** Bytes that may stand in a header field value as a token: visible ASCII, no space. */
const tokenBytes = /^[\x21-\x7e]+$/;

/** Is this a token that can be sent? Presto's alphabet is open; only what a header can't hold is refused. */
export function isTokenText(text: string): boolean {
  return tokenBytes.test(text);
}

/** A token as a request uses it. */
export interface Token {
  /** Fingerprint of the secret: what tells tokens apart. */
  readonly id: string;
  readonly secret: Secret;
  /** `Bearer …`, made once, not for every request. */
  readonly authorization: string;
  /** For logs and metrics; never decides which token is newer. */
  readonly generation: number;
}

/** Makes the form that requests use. */
export function createToken(secret: Secret, generation: number): Token {
  return new UsableToken(secret, generation);
}

/** The field's value is a private member behind a getter: however the token is printed, it is not in the text. */
class UsableToken implements Token {
  readonly id: string;
  readonly secret: Secret;
  readonly generation: number;
  readonly #authorization: string;

  constructor(secret: Secret, generation: number) {
    this.id = secret.fingerprint();
    this.secret = secret;
    this.generation = generation;
    this.#authorization = `Bearer ${secret.reveal()}`;
  }

  get authorization(): string {
    return this.#authorization;
  }
}
