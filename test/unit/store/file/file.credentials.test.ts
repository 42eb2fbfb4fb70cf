import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import { Secret } from "../../../../src/secret.ts";
import { parseStoreKeys, seal } from "../../../../src/store/seal.ts";
import { createFileCredentials, createFileStore } from "../../../support/file-stores.ts";
import { credentialsOf, plain, stored } from "../accounts.ts";
import { endOf, startChild } from "../children/run-child.ts";
import { newKey, recordOf } from "../records.ts";

describe("credentials in a sealed file", () => {
  let folder: string;
  let path: string;
  const key = newKey();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "credentials-"));
    path = join(folder, "account");
  });
  afterEach(() => rm(folder, { recursive: true }));

  function open(keys = key): ReturnType<typeof createFileCredentials> {
    return createFileCredentials({
      path,
      keys: { kind: "value", secret: new Secret(keys) },
      clock: systemClock,
    });
  }

  it("show nothing of themselves, and are this user's alone", async () => {
    await open().write(credentialsOf("MARKED-password", "MARKED-pending"), undefined);
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    const content = await readFile(path, "latin1");
    expect(content).toMatch(/^presto-sidecar\/1 credentials\/1 [\x20-\x7e]+\n$/);
    for (const secret of ["MARKED-password", "MARKED-pending", "sidecar@institution"]) {
      for (const form of ["utf8", "base64", "base64url", "hex"] as const) {
        expect(content).not.toContain(Buffer.from(secret).toString(form).slice(0, 12));
      }
    }
    expect(await readdir(folder)).toEqual(["account", "account.write-lock"]);
  });

  it("tell the failures apart, each with the path and with what to do", async () => {
    await open().write(credentialsOf("a password"), undefined);
    const whole = await readFile(path, "latin1");
    const keys = parseStoreKeys(new Secret(key));
    await expect(open(newKey()).read()).rejects.toMatchObject({
      code: "wrong-key",
      message: expect.stringMatching(`^The credential file ${path} was sealed with the store key `),
    });
    for (const [content, code, says] of [
      [whole.slice(0, -9), "damaged", "is damaged: .*presto-sidecar credentials import$"],
      [seal(Buffer.from("{}"), "credentials", 2, keys), "newer-schema", "was written by a later version"],
      [seal(Buffer.from("{}"), "credentials", 1, keys), "damaged", "lacks the field schema"],
      [whole.replace("credentials/1", "credentials/2"), "damaged", "changed after it was sealed"],
      ["presto-sidecar/2 x\n", "newer-schema", "was written by a later version"],
    ] as const) {
      await writeFile(path, content);
      await expect(open().read()).rejects.toMatchObject({
        name: "StoreError",
        code,
        message: expect.stringMatching(`^The credential file ${path} .*${says}`),
      });
      await expect(open().write(credentialsOf("another"), undefined)).rejects.toMatchObject({ code });
      expect(await readFile(path, "latin1")).toBe(content);
    }
  });

  it("say whether the first key sealed them", async () => {
    await open().write(credentialsOf("a password"), undefined);
    const rotated = open(`${newKey()},${key}`);
    const { credentials, version, sealedWithFirstKey } = await stored(rotated);
    expect(sealedWithFirstKey).toBe(false);
    await rotated.write(credentials, version);
    expect((await stored(rotated)).sealedWithFirstKey).toBe(true);
  });

  it("are no token's record, and a record is no credentials, though the key is the same", async () => {
    const recordPath = join(folder, "record");
    const record = createFileStore({
      path: recordPath,
      keys: { kind: "value", secret: new Secret(key) },
      clock: systemClock,
    });
    await record.write(recordOf("a-token"), undefined);
    await open().write(credentialsOf("a password"), undefined);
    const token = await readFile(recordPath);
    await copyFile(path, recordPath);
    await expect(record.read()).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringContaining("it holds credentials and no token"),
    });
    await writeFile(path, token);
    await expect(open().read()).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringContaining("it holds a token and no credentials"),
    });
  });

  it("lose none of the writes of two processes at once", async () => {
    await open().write(credentialsOf("-"), undefined);
    const script = new URL("../children/add-to-password.ts", import.meta.url).href;
    const ends = await Promise.all([1, 2].map(() => endOf(startChild(script, [path, key, "20"]))));
    expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
      { code: 0, stderr: "" },
      { code: 0, stderr: "" },
    ]);
    expect(plain((await stored(open())).credentials)).toMatchObject({ password: `-${"x".repeat(40)}` });
  });
});
