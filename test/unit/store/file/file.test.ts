import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import { Secret } from "../../../../src/secret.ts";
import { createSingleHostLock } from "../../../../src/store/file/lock.ts";
import { parseStoreKeys, seal } from "../../../../src/store/seal.ts";
import { createFileStore } from "../../../support/file-stores.ts";
import { newKey, recordOf } from "../records.ts";

describe("file store", () => {
  let folder: string;
  let path: string;
  const key = newKey();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "file-"));
    path = join(folder, "record");
  });
  afterEach(() => rm(folder, { recursive: true }));

  function open(keys = key, clock = systemClock): ReturnType<typeof createFileStore> {
    return createFileStore({ path, keys: { kind: "value", secret: new Secret(keys) }, clock });
  }

  it("keeps the token in a file of mode 0600 that does not show it", async () => {
    await open().write(recordOf("MARKED-token"), undefined);
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    const content = await readFile(path, "latin1");
    expect(content).toMatch(/^presto-sidecar\/1 [\x20-\x7e]+\n$/);
    for (const form of ["utf8", "base64", "base64url", "hex"] as const) {
      expect(content).not.toContain(Buffer.from("MARKED-token").toString(form).slice(0, 12));
    }
    expect(await readdir(folder)).toEqual(["record", "record.write-lock"]);
  });

  it("answers undefined where the record or its whole folder is absent", async () => {
    expect(await open().read()).toBeUndefined();
    await rm(folder, { recursive: true });
    expect(await open().read()).toBeUndefined();
    await mkdir(folder);
  });

  it("tells the failures apart, each with the path and with what to do", async () => {
    await open().write(recordOf("a-token"), undefined);
    const whole = await readFile(path, "latin1");

    await expect(open(newKey()).read()).rejects.toMatchObject({
      code: "wrong-key",
      message: expect.stringMatching(
        `^The record ${path} was sealed with the store key .*Put that key into the list`,
      ),
    });
    await writeFile(path, whole.slice(0, -9));
    await expect(open().read()).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringMatching(`^The record ${path} is damaged: .*Restore it from a backup`),
    });
    await writeFile(path, seal(Buffer.from("{}"), "token", 2, parseStoreKeys(new Secret(key))));
    await expect(open().read()).rejects.toMatchObject({
      code: "newer-schema",
      message: expect.stringMatching(`^The record ${path} was written by a later version .*Run that version`),
    });
    await writeFile(path, seal(Buffer.from("{}"), "token", 1, parseStoreKeys(new Secret(key))));
    await expect(open().read()).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringContaining("the record lacks the field schema"),
    });
    await writeFile(path, "x".repeat(1024 * 1024 + 1));
    await expect(open().read()).rejects.toMatchObject({ code: "damaged" });
    await rm(path);
    await mkdir(path);
    await expect(open().read()).rejects.toMatchObject({
      code: "unreadable",
      message: expect.stringContaining(path),
    });
    await rm(path, { recursive: true });
    await symlink("record.write-lock", path);
    await expect(open().read()).rejects.toMatchObject({
      code: "unreadable",
      message: expect.stringContaining("link"),
    });
  });

  it("needs its keys before it says that nothing is stored", async () => {
    const keyPath = join(folder, "key");
    const store = createFileStore({ path, keys: { kind: "file", path: keyPath }, clock: systemClock });
    await expect(store.read()).rejects.toMatchObject({
      code: "not-yet",
      message: expect.stringContaining(`The store key file ${keyPath}`),
    });
    await writeFile(keyPath, `${key}\n`);
    expect(await store.read()).toBeUndefined();
  });

  it("follows a rotation of the keys in their file, without a restart", async () => {
    const keyPath = join(folder, "key");
    const [old, fresh] = [newKey(), newKey()];
    await writeFile(keyPath, old);
    const store = createFileStore({ path, keys: { kind: "file", path: keyPath }, clock: systemClock });
    await store.write(recordOf("a-token"), undefined);
    const told = vi.fn<() => void>();
    store.watch(told);

    await writeFile(keyPath, `${fresh},${old}`);
    await expect.poll(() => told).toHaveBeenCalled();
    const read = await store.read();
    expect(read?.sealedWithFirstKey).toBe(false);
    await store.write(recordOf("a-token"), read?.version);
    expect((await store.read())?.sealedWithFirstKey).toBe(true);

    await writeFile(keyPath, fresh);
    expect((await store.read())?.record.token?.reveal()).toBe("a-token");
    await writeFile(keyPath, old);
    await expect(store.read()).rejects.toMatchObject({ code: "wrong-key" });
    store.close();
  });

  it("writes nothing over a record whose key has left the list, though its version is known", async () => {
    await open().write(recordOf("a-token"), undefined);
    const version = (await open().read())?.version;
    const before = await readFile(path, "latin1");
    await expect(open(newKey()).write(recordOf("b-token"), version)).rejects.toMatchObject({
      code: "wrong-key",
    });
    expect(await readFile(path, "latin1")).toBe(before);
  });

  it("takes a restored backup for another version", async () => {
    const store = open();
    await store.write(recordOf("old"), undefined);
    await copyFile(path, `${path}.backup`);
    const old = await store.read();
    await store.write(recordOf("new"), old?.version);
    const fresh = await store.read();
    await rename(`${path}.backup`, path);
    expect((await store.read())?.version).toBe(old?.version);
    expect(await store.write(recordOf("late"), fresh?.version)).toEqual({ outcome: "refused" });
  });

  it("waits 5 s for another writer, then says who holds the lock, and has changed nothing", async () => {
    const held = await createSingleHostLock({
      path: `${path}.write-lock`,
      what: "x",
      clock: systemClock,
    }).acquire({
      waitMs: 0,
    });
    let now = 0;
    const clock = {
      ...systemClock,
      monotonic: () => now,
      async sleep(ms: number) {
        now += ms;
      },
    };
    await expect(open(key, clock).write(recordOf("a-token"), undefined)).rejects.toMatchObject({
      name: "CommandError",
      code: "try-again",
      message: expect.stringContaining(`Process ${process.pid} on `),
    });
    expect(now).toBe(5_000);
    expect(await open().read()).toBeUndefined();
    await held.release();
  });

  it("gives the lock back after a write that failed", async () => {
    await writeFile(path, "spoilt", { mode: 0o600 });
    await expect(open().write(recordOf("a-token"), undefined)).rejects.toMatchObject({ code: "damaged" });
    await rm(path);
    expect(await open().write(recordOf("a-token"), undefined)).toMatchObject({ outcome: "written" });
  });

  it("removes what a killed writer left", async () => {
    await writeFile(join(folder, ".record.3f0a4b5c-0000-4000-8000-000000000001.tmp"), "half");
    await open().write(recordOf("a-token"), undefined);
    expect(await readdir(folder)).toEqual(["record", "record.write-lock"]);
  });

  it("writes no record that it would then refuse to read for its size", async () => {
    const error: unknown = await open()
      .write(recordOf("x".repeat(800_000)), undefined)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "bad-token" });
    expect(await open().read()).toBeUndefined();
  });
});
