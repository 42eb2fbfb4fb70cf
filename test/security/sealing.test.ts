import { inspect } from "node:util";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Secret } from "../../src/secret.ts";
import { StoreError } from "../../src/store/contract.ts";
import { parseStoreKeys, seal, type StoreKeys } from "../../src/store/seal.ts";
import { openRecord, sealRecord } from "../support/sealed-lines.ts";
import { anyRecord, newKey, plain, recordOf } from "../unit/store/records.ts";

const keyText = newKey();
const keys = parseStoreKeys(new Secret(keyText));
const runs = { numRuns: 10_000 };

/** Any text under a good seal, as a faulty writer could leave it. */
function sealText(text: string): string {
  return seal(Buffer.from(text), "token", 1, keys);
}

/** What a record that must not open gave instead: an error, or undefined if it opened. */
function refusal(sealed: string, given: StoreKeys = keys): unknown {
  try {
    openRecord(sealed, given, "The record here");
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("the stored record is sealed", () => {
  it("opens to what was sealed, whatever the record", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const opened = openRecord(sealRecord(record, keys), keys, "x");
        expect(opened.sealedWithFirstKey).toBe(true);
        expect(plain(opened.value)).toEqual(plain(record));
      }),
      runs,
    );
  });

  it("never opens once a bit of it was changed", () => {
    const sealed = sealRecord(recordOf("a-token"), keys);
    const bits = Buffer.byteLength(sealed) * 8;
    const flips = fc.uniqueArray(fc.nat({ max: bits - 1 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(flips, (positions) => {
        const bytes = Buffer.from(sealed, "latin1");
        for (const position of positions) {
          const at = position >> 3;
          bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (position & 7)), at);
        }
        expect(refusal(bytes.toString("latin1"))).toBeInstanceOf(StoreError);
      }),
      runs,
    );
  });

  it("never opens with any single bit of it changed", () => {
    const sealed = Buffer.from(sealRecord(recordOf("a-token"), keys), "latin1");
    for (let position = 0; position < sealed.length * 8; position += 1) {
      const bytes = Buffer.from(sealed);
      bytes.writeUInt8(bytes.readUInt8(position >> 3) ^ (1 << (position & 7)), position >> 3);
      expect(refusal(bytes.toString("latin1"))).toBeInstanceOf(StoreError);
    }
  });

  it("is damaged when cut short, at whatever byte", () => {
    const sealed = sealRecord(recordOf("a-token"), keys);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(refusal(sealed.slice(0, length))).toMatchObject({ name: "StoreError", code: "damaged" });
    }
  });

  it("never opens made-up text", () => {
    const header = `presto-sidecar/1 schema/1 ${keys[0].id} `;
    const bodies = fc
      .uint8Array({ maxLength: 200 })
      .map((bytes) => `${header}${Buffer.from(bytes).toString("base64url")}\n`);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), bodies), (text) => {
        expect(refusal(text)).toBeInstanceOf(StoreError);
      }),
      runs,
    );
  });

  it("opens with no other key, not even under the right key's name", () => {
    const sealed = sealRecord(recordOf("a-token"), keys);
    const [other] = parseStoreKeys(new Secret(newKey()));
    expect(refusal(sealed, [other])).toMatchObject({ code: "wrong-key" });
    expect(refusal(sealed, [{ ...other, id: keys[0].id }])).toMatchObject({ code: "damaged" });
  });

  it("shows neither token nor key, in itself or in an error about it", () => {
    const token = "MARKED-token-5b1f";
    const sealed = sealRecord(recordOf(token), keys);
    const errors = [
      refusal(sealed, parseStoreKeys(new Secret(newKey()))),
      refusal(sealed.slice(0, -5)),
      refusal(sealed.replace("schema/1", "schema/2")),
      refusal(`${sealed}${sealed}`),
      refusal(sealText(`{"token":"${token}"`)),
      refusal(sealText(JSON.stringify({ token }))),
    ];
    const outputs = [sealed, ...errors.map((error) => inspect(error, { depth: 20, showHidden: true }))];
    const secrets = [token, keyText].flatMap((secret) =>
      (["utf8", "base64", "hex"] as const).map((form) =>
        Buffer.from(secret).toString(form).replace(/=+$/, ""),
      ),
    );
    for (const error of errors) expect(error).toBeInstanceOf(StoreError);
    for (const output of outputs) for (const secret of secrets) expect(output).not.toContain(secret);
  });
});
