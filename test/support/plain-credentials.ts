import type { Credentials } from "../../src/store/contract.ts";

/** Credentials in the open. */
export interface PlainCredentials {
  readonly email: string;
  readonly password: string;
  readonly pending: string | null;
}

/** Two secrets look alike to an assertion: only what they hold tells them apart. */
export function plain({ email, password, pending }: Credentials): PlainCredentials {
  return { email: email.reveal(), password: password.reveal(), pending: pending && pending.reveal() };
}
