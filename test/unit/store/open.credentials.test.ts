import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { openCredentials, parseCredentialPlace } from "../../../src/store/open.ts";
import { plain } from "./accounts.ts";
import { newKey } from "./records.ts";

function value(text: string): { readonly kind: "value"; readonly secret: Secret } {
  return { kind: "value", secret: new Secret(text) };
}

describe("open credentials", () => {
  it("makes the adapter that was asked for", async () => {
    const env = await openCredentials(
      { kind: "env", email: value("a@b"), password: value("x") },
      { clock: systemClock },
    );
    expect(env.kind).toBe("env");
    expect(plain((await env.read())?.credentials)).toMatchObject({ email: "a@b", password: "x" });
    const place = parseCredentialPlace("file:/no/such/folder/account");
    const file = await openCredentials({ ...place, keys: value(newKey()) }, { clock: systemClock });
    expect(file.kind).toBe("file");
    expect(await file.read()).toBeUndefined();
  });
});
