import { Secret } from "../secret.ts";
import { faultOfEmail, faultOfPassword } from "../store/credentials.ts";
import { RefusedValue } from "./refused-value.ts";
import { laterStores, parseStoreAddress, withoutLineEnd } from "./store-value.ts";

// None of these shows the value: each is a secret, or stands where one is easily pasted by mistake.

/** @throws RefusedValue */
export function parseEmail(text: string): Secret {
  return parseAccountText(text, faultOfEmail);
}

/** @throws RefusedValue */
export function parsePassword(text: string): Secret {
  return parseAccountText(text, faultOfPassword);
}

function parseAccountText(text: string, faultOf: (text: string) => string | undefined): Secret {
  const bare = withoutLineEnd(text);
  const fault = faultOf(bare);
  if (fault !== undefined) throw new RefusedValue(fault);
  return new Secret(bare);
}

/** Where the account's credentials lie, as PRESTO_CREDENTIALS names it. */
export interface CredentialAddress {
  readonly kind: "file";
  readonly path: string;
}

/** @throws RefusedValue */
export function parseCredentialAddress(text: string): CredentialAddress {
  const [kind = ""] = text.split(":", 1);
  if (kind === "env") {
    throw new RefusedValue(
      "can't be env:; credentials in the environment stand in PRESTO_EMAIL and PRESTO_PASSWORD (or their _FILE forms), without this",
    );
  }
  if (laterStores.includes(kind)) {
    throw new RefusedValue(
      `is a ${kind}: store, which this version does not have yet; it has file:/path for credentials`,
    );
  }
  const address = text.startsWith("file:") ? parseStoreAddress(text) : undefined;
  if (address?.kind !== "file") throw new RefusedValue("is not file:/path");
  return address;
}
