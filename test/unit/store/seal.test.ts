import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { open, parseStoreKeys, seal } from "../../../src/store/seal.ts";
import { newKey } from "./records.ts";

const keyText = newKey();
const keys = parseStoreKeys(new Secret(keyText));
const subject = { holds: "token", where: "The record here" } as const;
const plaintext = Buffer.from("any bytes: \u0000\u00ff");

const sealedByFirstVersion =
  "presto-sidecar/1 schema/1 776e10838bb5f0f6 EERKKiytjA_CDU4VaeuoIK65uAD2tLXNQv8zYVf2w3ML5bVa\n";

function refusal(sealed: string, given = keys): unknown {
  try {
    return open(sealed, given, subject);
  } catch (error) {
    return error;
  }
}

describe("sealed form", () => {
  it("is one line that names the format, the schema and the key", () => {
    const sealed = seal(plaintext, "token", 1, keys);
    expect(sealed).toMatch(new RegExp(`^presto-sidecar/1 schema/1 ${keys[0].id} [A-Za-z0-9_-]+\n$`));
  });

  it("never uses a nonce twice", () => {
    const nonces = Array.from({ length: 1_000 }, () => {
      const body = seal(plaintext, "token", 1, keys).trim().split(" ").at(-1) ?? "";
      return Buffer.from(body, "base64url").subarray(0, 12).toString("hex");
    });
    expect(new Set(nonces).size).toBe(1_000);
  });

  it("is AES-256-GCM with the header as additional data, as WebCrypto opens it too", async () => {
    const sealed = seal(plaintext, "token", 1, keys);
    const header = sealed.slice(0, sealed.lastIndexOf(" "));
    const body = Buffer.from(sealed.slice(header.length + 1), "base64url");
    const key = await crypto.subtle.importKey("raw", Buffer.from(keyText, "base64"), "AES-GCM", false, [
      "decrypt",
    ]);
    const opened = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: body.subarray(0, 12), additionalData: Buffer.from(header), tagLength: 128 },
      key,
      body.subarray(12),
    );
    expect(Buffer.from(opened)).toEqual(plaintext);
  });

  it("is opened by any of the keys, and says whether the first one sealed it", () => {
    const sealed = seal(plaintext, "token", 1, keys);
    const rotated = parseStoreKeys(new Secret(`${newKey()},${keyText}`));
    expect(open(sealed, keys, subject)).toMatchObject({ plaintext, sealedWithFirstKey: true });
    expect(open(sealed, rotated, subject)).toMatchObject({ plaintext, sealedWithFirstKey: false });
    expect(open(seal(plaintext, "token", 1, rotated), rotated, subject)).toMatchObject({
      sealedWithFirstKey: true,
    });
  });

  it("says which key it needs where that was not given", () => {
    const others = parseStoreKeys(new Secret(newKey()));
    const thrown = refusal(seal(plaintext, "token", 1, keys), others);
    expect(thrown).toMatchObject({ name: "StoreError", code: "wrong-key" });
    expect(String(thrown)).toContain(`The record here was sealed with the store key ${keys[0].id}`);
    expect(String(thrown)).toContain(others[0].id);
  });

  it("tells a later format, and a later schema once the seal has held, from damage", () => {
    expect(refusal("presto-sidecar/2 whatever comes\n")).toMatchObject({ code: "newer-schema" });
    expect(open(seal(plaintext, "token", 2, keys), keys, subject)).toMatchObject({ schema: 2 });
    const forged = seal(plaintext, "token", 1, keys).replace("schema/1", "schema/2");
    expect(refusal(forged)).toMatchObject({ code: "damaged" });
  });

  it("says what it is of, and never opens as something else, though the key be the same", () => {
    const credentials = seal(plaintext, "credentials", 1, keys);
    expect(credentials).toMatch(/^presto-sidecar\/1 credentials\/1 /);
    expect(open(credentials, keys, { holds: "credentials", where: "x" })).toMatchObject({ plaintext });
    expect(refusal(credentials)).toMatchObject({
      code: "damaged",
      message: expect.stringContaining("holds credentials and no token"),
    });
    // The word is part of what the tag covers, so it can't be written over.
    expect(refusal(credentials.replace("credentials/", "schema/"))).toMatchObject({
      code: "damaged",
      message: expect.stringContaining("changed after it was sealed"),
    });
  });

  it("still opens what the first version sealed, which had one thing to seal", () => {
    // Sealed by that version under the key of 32 bytes 0x07.
    const known = parseStoreKeys(new Secret(Buffer.alloc(32, 7).toString("base64")));
    expect(open(sealedByFirstVersion, known, subject).plaintext.toString()).toBe("a record");
  });

  it.each<[string, (sealed: string) => string]>([
    ["empty", () => ""],
    ["something else", () => "hello\n"],
    ["without its line end", (sealed) => sealed.trimEnd()],
    ["with a second line end", (sealed) => `${sealed}\n`],
    ["with a carriage return", (sealed) => `${sealed.trimEnd()}\r\n`],
    ["with a line before it", (sealed) => `x\n${sealed}`],
    ["padded", (sealed) => `${sealed.trimEnd()}=\n`],
    ["with a body too short for a tag", (sealed) => sealed.replace(/ [\w-]+\n$/, ` ${"A".repeat(36)}\n`)],
  ])("is damaged when it is %s", (_case, change) => {
    expect(refusal(change(seal(plaintext, "token", 1, keys)))).toMatchObject({ code: "damaged" });
  });

  it("is damaged when it has unused bits set, though they decode to the same bytes", () => {
    const sealed = seal(Buffer.alloc(1), "token", 1, keys);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = sealed.at(-2) ?? "";
    const other = alphabet[alphabet.indexOf(last) + 1] ?? "";
    const same = `${sealed.slice(0, -2)}${other}\n`;
    const bytes = (text: string): Buffer => Buffer.from(text.trim().split(" ").at(-1) ?? "", "base64url");
    expect(bytes(same)).toEqual(bytes(sealed));
    expect(refusal(same)).toMatchObject({ code: "damaged" });
  });
});
