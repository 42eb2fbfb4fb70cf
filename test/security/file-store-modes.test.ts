import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import { createEnvStore } from "../../src/store/env.ts";
import { createFileCredentials, createFileStore } from "../support/file-stores.ts";
import { credentialsOf } from "../unit/store/accounts.ts";
import { newKey, recordOf } from "../unit/store/records.ts";

/** Only the super-user may give a file away, so only it can see a foreign one refused. */
const mayChown = process.geteuid?.() === 0;

describe("a record that others may have read or written is refused", () => {
  let folder: string;
  let path: string;
  const keys = { kind: "value", secret: new Secret(newKey()) } as const;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "modes-"));
    path = join(folder, "record");
    await open().write(recordOf("a-token"), undefined);
  });
  afterEach(() => rm(folder, { recursive: true }));

  function open(): ReturnType<typeof createFileStore> {
    return createFileStore({ path, keys, clock: systemClock });
  }

  async function expectRefused(mend: string): Promise<void> {
    const { version } = opened;
    const before = await readFile(path);
    await expect(open().read()).rejects.toMatchObject({ code: "unreadable" });
    await expect(open().read()).rejects.toThrow(mend);
    await expect(open().write(recordOf("b-token"), version)).rejects.toMatchObject({ code: "unreadable" });
    expect(await readFile(path)).toEqual(before);
  }

  let opened: { version: string };
  beforeEach(async () => {
    const read = await open().read();
    if (read === undefined) throw new Error("nothing is stored");
    opened = read;
  });

  it.each(["0640", "0604", "0660", "0601", "0700", "4600"])("mode %s", async (mode) => {
    await chmod(path, Number.parseInt(mode, 8));
    await expectRefused(`chmod 0600 ${path}`);
  });

  it("but a narrower mode is not", async () => {
    await chmod(path, 0o400);
    expect((await open().read())?.record.token?.reveal()).toBe("a-token");
    await open().write(recordOf("b-token"), opened.version);
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
  });

  it.skipIf(!mayChown)("owned by another user (only the super-user can make such a file)", async () => {
    await chown(path, 65534, 65534);
    await expectRefused("belongs to the user 65534");
  });
});

describe("credentials that others may have read or written are refused", () => {
  let folder: string;
  let path: string;
  const keys = { kind: "value", secret: new Secret(newKey()) } as const;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "modes-"));
    path = join(folder, "account");
    await open().write(credentialsOf("a password"), undefined);
  });
  afterEach(() => rm(folder, { recursive: true }));

  function open(): ReturnType<typeof createFileCredentials> {
    return createFileCredentials({ path, keys, clock: systemClock });
  }

  it.each(["0640", "0604", "0660"])("mode %s", async (mode) => {
    await chmod(path, Number.parseInt(mode, 8));
    await expect(open().read()).rejects.toMatchObject({ code: "unreadable" });
    await expect(open().read()).rejects.toThrow(`chmod 0600 ${path}`);
  });

  it.skipIf(!mayChown)("owned by another user (only the super-user can make such a file)", async () => {
    await chown(path, 65534, 65534);
    await expect(open().read()).rejects.toThrow(`The credential file ${path} belongs to the user 65534`);
  });
});

describe("a mounted secret is refused only if others may write it", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "modes-"));
    path = join(folder, "token");
    await writeFile(path, "a-token\n");
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function read(): Promise<string | undefined> {
    const store = createEnvStore({ token: { kind: "file", path }, clock: systemClock });
    return (await store.read())?.record.token?.reveal();
  }

  it.each(["0620", "0602", "0666", "0777"])("mode %s is refused", async (mode) => {
    await chmod(path, Number.parseInt(mode, 8));
    await expect(read()).rejects.toMatchObject({ code: "unreadable" });
    await expect(read()).rejects.toThrow(`chmod go-w ${path}`);
  });

  it.each(["0400", "0440", "0444", "0644", "0755"])("mode %s is accepted", async (mode) => {
    await chmod(path, Number.parseInt(mode, 8));
    expect(await read()).toBe("a-token");
  });

  it.skipIf(!mayChown)("whoever owns it (only the super-user can give a file away)", async () => {
    await chown(path, 65534, 65534);
    expect(await read()).toBe("a-token");
  });

  it("the store key's file too", async () => {
    const keyPath = join(folder, "key");
    await writeFile(keyPath, newKey());
    const store = createFileStore({
      path: join(folder, "record"),
      keys: { kind: "file", path: keyPath },
      clock: systemClock,
    });
    await chmod(keyPath, 0o644);
    expect(await store.read()).toBeUndefined();
    await chmod(keyPath, 0o664);
    await expect(store.read()).rejects.toThrow(`chmod go-w ${keyPath}`);
  });
});
