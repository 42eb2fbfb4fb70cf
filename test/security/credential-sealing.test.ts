import { inspect } from "node:util";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Secret } from "../../src/secret.ts";
import { StoreError } from "../../src/store/contract.ts";
import { parseStoreKeys, seal, type StoreKeys } from "../../src/store/seal.ts";
import { openRecord, openSealedCredentials, sealCredentials, sealRecord } from "../support/sealed-lines.ts";
import { anyCredentials, credentialsOf, plain } from "../unit/store/accounts.ts";
import { anyRecord, newKey } from "../unit/store/records.ts";

const keyText = newKey();
const keys = parseStoreKeys(new Secret(keyText));
const runs = { numRuns: 10_000 };

/** What must not open gave instead: an error, or undefined if it opened. */
function refusal(open: () => unknown): unknown {
  try {
    open();
    return undefined;
  } catch (error) {
    return error;
  }
}

function openHere(sealed: string, given: StoreKeys = keys): unknown {
  return openSealedCredentials(sealed, given, "The credentials here");
}

describe("stored credentials are sealed", () => {
  it("open to what was sealed, whatever the credentials", () => {
    fc.assert(
      fc.property(anyCredentials, (credentials) => {
        const opened = openSealedCredentials(sealCredentials(credentials, keys), keys, "x");
        expect(opened.sealedWithFirstKey).toBe(true);
        expect(plain(opened.value)).toEqual(plain(credentials));
      }),
      runs,
    );
  });

  it("never open once a bit of them was changed", () => {
    const sealed = Buffer.from(sealCredentials(credentialsOf("a password"), keys), "latin1");
    for (let position = 0; position < sealed.length * 8; position += 1) {
      const bytes = Buffer.from(sealed);
      bytes.writeUInt8(bytes.readUInt8(position >> 3) ^ (1 << (position & 7)), position >> 3);
      expect(refusal(() => openHere(bytes.toString("latin1")))).toBeInstanceOf(StoreError);
    }
  });

  it("never open as a token's record, nor a record as credentials, not even with the header of the other", () => {
    fc.assert(
      fc.property(anyCredentials, anyRecord, (credentials, record) => {
        const account = sealCredentials(credentials, keys);
        const token = sealRecord(record, keys);
        for (const sealed of [account, account.replace("credentials/1", "schema/1")]) {
          expect(refusal(() => openRecord(sealed, keys, "x"))).toMatchObject({ code: "damaged" });
        }
        for (const sealed of [token, token.replace("schema/1", "credentials/1")]) {
          expect(refusal(() => openHere(sealed))).toMatchObject({ code: "damaged" });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("open with no other key, not even under the right key's name", () => {
    const sealed = sealCredentials(credentialsOf("a password"), keys);
    const [other] = parseStoreKeys(new Secret(newKey()));
    expect(refusal(() => openHere(sealed, [other]))).toMatchObject({ code: "wrong-key" });
    expect(refusal(() => openHere(sealed, [{ ...other, id: keys[0].id }]))).toMatchObject({
      code: "damaged",
    });
  });

  it("show neither account nor key, in themselves or in an error about them", () => {
    const account = {
      email: new Secret("MARKED-mail@institution.example"),
      password: new Secret("MARKED-password-5b1f"),
      pending: new Secret("MARKED-pending-77c0"),
    };
    const sealed = sealCredentials(account, keys);
    const faulty = (json: unknown): string =>
      seal(Buffer.from(typeof json === "string" ? json : JSON.stringify(json)), "credentials", 1, keys);
    const { email, password } = { email: account.email.reveal(), password: account.password.reveal() };
    const errors = [
      refusal(() => openHere(sealed, parseStoreKeys(new Secret(newKey())))),
      refusal(() => openHere(sealed.slice(0, -5))),
      refusal(() => openHere(faulty(`{"password":"${password}"`))),
      refusal(() => openHere(faulty({ email, password }))),
      refusal(() => openHere(faulty({ schema: 1, email: password, password, pending: null }))),
      refusal(() => openRecord(sealed, keys, "x")),
      refusal(() => sealCredentials({ ...account, email: account.password }, keys)),
    ];
    const outputs = [sealed, ...errors.map((error) => inspect(error, { depth: 20, showHidden: true }))];
    const secrets = [email, password, account.pending.reveal(), keyText].flatMap((secret) =>
      (["utf8", "base64", "hex"] as const).map((form) =>
        Buffer.from(secret).toString(form).replace(/=+$/, ""),
      ),
    );
    for (const error of errors) expect(error).toBeInstanceOf(StoreError);
    for (const output of outputs) for (const secret of secrets) expect(output).not.toContain(secret);
  });
});
