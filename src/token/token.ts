import type { Secret } from "../secret.ts";

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

/** A request's fields with the token's: nothing else in this program puts a token on a request. */
export function withAuthorization(headers: readonly string[], token: Token): string[] {
  return [...headers, "authorization", token.authorization];
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
