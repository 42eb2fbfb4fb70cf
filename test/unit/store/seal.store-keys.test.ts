import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { parseStoreKeys } from "../../../src/store/seal.ts";
import { newKey } from "./records.ts";

describe("store keys", () => {
  it("reads several, in their order, spaces around a comma allowed", () => {
    const [one, two] = [newKey(), newKey()];
    const ids = [one, two].map((key) => parseStoreKeys(new Secret(key))[0].id);
    expect(parseStoreKeys(new Secret(`${one} ,  ${two}`)).map((key) => key.id)).toEqual(ids);
  });

  it("names a key by HMAC-SHA256, so that its name says nothing of it", () => {
    // Computed with: printf 'presto-sidecar/1 key id' | openssl dgst -sha256 -mac HMAC -macopt hexkey:00…1f
    const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString("base64");
    expect(parseStoreKeys(new Secret(key))[0].id).toBe("863130db57d70372");
  });

  it.each<[string, string, string]>([
    ["nothing", "", "The store key is"],
    ["31 bytes", Buffer.alloc(31, 7).toString("base64"), "The store key is"],
    ["33 bytes", Buffer.alloc(33, 7).toString("base64"), "The store key is"],
    ["no padding", newKey().slice(0, -1), "The store key is"],
    ["the URL alphabet", Buffer.alloc(32, 0xff).toString("base64url"), "The store key is"],
    ["bits beyond the last byte", `${"A".repeat(42)}B=`, "The store key is"],
    ["hexadecimal digits", Buffer.alloc(32, 7).toString("hex"), "The store key is"],
    ["a line end", `${newKey()}\n${newKey()}`, "The store key is"],
    ["an empty second key", `${newKey()},`, "Store key 2 of 2 is"],
    ["a bad one among good ones", `${newKey()},x,${newKey()}`, "Store key 2 of 3 is"],
  ])("refuses %s, and says which without showing it", (_case, text, begin) => {
    let thrown: unknown;
    try {
      parseStoreKeys(new Secret(text));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "StoreError", code: "wrong-key" });
    expect(thrown instanceof Error && thrown.message.startsWith(begin)).toBe(true);
    for (const key of text.split(/[,\n]/).filter((part) => part.length > 1)) {
      expect(inspect(thrown, { depth: 10, showHidden: true })).not.toContain(key);
    }
  });

  it("prints no key bytes", () => {
    const text = newKey();
    const printed = inspect(parseStoreKeys(new Secret(text)), { depth: 10, showHidden: true });
    expect(printed).not.toContain(text);
    expect(printed).not.toContain(Buffer.from(text, "base64").toString("hex"));
  });
});
