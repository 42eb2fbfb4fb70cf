import * as fc from "fast-check";

import { Secret } from "../../../src/secret.ts";
import type { CredentialStore, Credentials } from "../../../src/store/contract.ts";

/** Credentials with this password. */
export function credentialsOf(password: string, pending: string | null = null): Credentials {
  return {
    email: new Secret("sidecar@institution.example"),
    password: new Secret(password),
    pending: pending === null ? null : new Secret(pending),
  };
}

/** Secrets print as `[secret]` and compare as equal: this form shows them, so that they can be compared. */
export function plain(credentials: Credentials | undefined): unknown {
  return (
    credentials && {
      email: credentials.email.reveal(),
      password: credentials.password.reveal(),
      pending: credentials.pending && credentials.pending.reveal(),
    }
  );
}

/** What is stored, or an error where nothing is. */
export async function stored(
  store: CredentialStore,
): Promise<NonNullable<Awaited<ReturnType<CredentialStore["read"]>>>> {
  const read = await store.read();
  if (read === undefined) throw new Error("no credentials are stored");
  return read;
}

const half = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => !/[@\p{Cc}\p{Z}\ufeff\ufffd]/u.test(text));

const anyEmail = fc
  .tuple(half, half)
  .map((halves) => new Secret(halves.join("@")))
  .filter((email) => email.reveal().length <= 254);

/** Any text that a password may be: any letter there is, line ends and quotes among them. */
export const anyPassword = fc
  .string({ unit: "binary", minLength: 1, maxLength: 200 })
  .filter((text) => !/[\0\ufffd]|^\ufeff/u.test(text))
  .map((text) => new Secret(text));

/** Any credentials that the type and its checks allow. */
export const anyCredentials: fc.Arbitrary<Credentials> = fc.record({
  email: anyEmail,
  password: anyPassword,
  pending: fc.option(anyPassword),
});
