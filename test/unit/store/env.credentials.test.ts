import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import type { CredentialStore } from "../../../src/store/contract.ts";
import { createEnvCredentials } from "../../../src/store/env.ts";
import { plain } from "./accounts.ts";

const email = { kind: "value", secret: new Secret("a@b") } as const;

describe("credentials by value", () => {
  it("are read as they are, can't be written, and are never pending", async () => {
    const password = { kind: "value", secret: new Secret("pä$$ 🔑") } as const;
    const store = createEnvCredentials({ email, password, clock: systemClock });
    expect("write" in store).toBe(false);
    const read = await store.read();
    expect(plain(read?.credentials)).toEqual({ email: "a@b", password: "pä$$ 🔑", pending: null });
    expect((await store.read())?.version).toBe(read?.version);
    store.watch(() => {})();
    store.close();
  });
});

describe("credentials by file", () => {
  let folder: string;
  let emailPath: string;
  let passwordPath: string;
  let store: CredentialStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "account-"));
    emailPath = join(folder, "email");
    passwordPath = join(folder, "password");
    await writeFile(emailPath, "a@b\n");
    await writeFile(passwordPath, "one\n");
    store = createEnvCredentials({
      email: { kind: "file", path: emailPath },
      password: { kind: "file", path: passwordPath },
      clock: systemClock,
    });
  });
  afterEach(async () => {
    store.close();
    await rm(folder, { recursive: true });
  });

  async function refusal(): Promise<unknown> {
    const error: unknown = await store.read().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
    return error;
  }

  it("hold any letter there is, in UTF-8, without the line end at their end", async () => {
    await writeFile(passwordPath, "pä$$ wörd 🔑\r\n");
    expect(plain((await store.read())?.credentials)).toMatchObject({ password: "pä$$ wörd 🔑" });
  });

  it("are another version when either changes, and the same when they are written anew", async () => {
    const first = (await store.read())?.version;
    await writeFile(passwordPath, "one");
    expect((await store.read())?.version).toBe(first);
    await writeFile(passwordPath, "two");
    const second = (await store.read())?.version;
    expect(second).not.toBe(first);
    await writeFile(emailPath, "c@d");
    expect((await store.read())?.version).not.toBe(second);
  });

  it("have a version that nobody can test a guess by: in another process it is another", async () => {
    const version = (await store.read())?.version;
    vi.resetModules();
    const another = await import("../../../src/store/env.ts");
    const elsewhere = another.createEnvCredentials({
      email: { kind: "file", path: emailPath },
      password: { kind: "file", path: passwordPath },
      clock: systemClock,
    });
    expect((await elsewhere.read())?.version).not.toBe(version);
  });

  it.each(["email", "password"])("tell of a change of the %s file", async (name) => {
    const told = vi.fn<() => void>();
    const end = store.watch(told);
    await writeFile(join(folder, name), "x@y");
    await expect.poll(() => told).toHaveBeenCalled();
    end();
  });

  it("are not there yet while a file is absent or empty, and say which", async () => {
    await rm(passwordPath);
    expect(await refusal()).toMatchObject({
      code: "not-yet",
      message: `The password file ${passwordPath} is not there yet. It is read as soon as it is.`,
    });
    await writeFile(emailPath, "\n");
    expect(await refusal()).toMatchObject({
      code: "not-yet",
      message: expect.stringContaining(`The e-mail file ${emailPath} is empty`),
    });
  });

  it("are not trusted where others may write them", async () => {
    await chmod(passwordPath, 0o660);
    expect(await refusal()).toMatchObject({
      code: "unreadable",
      message: expect.stringContaining("chmod go-w"),
    });
  });

  it.each<[string, Uint8Array | string, string]>([
    ["Latin-1", Buffer.from("MARKED-p\xe4ss", "latin1"), "not valid UTF-8"],
    ["UTF-16", Buffer.from("\ufeffMARKED", "utf16le"), "not valid UTF-8"],
    ["UTF-16 without a mark", Buffer.from("MARKED", "utf16le"), "NUL"],
    ["a byte order mark", "\ufeffMARKED", "byte order mark"],
    ["a surrogate in UTF-8 (CESU-8)", Buffer.from([0x4d, 0xed, 0xa0, 0x80]), "not valid UTF-8"],
  ])("are refused in %s, rather than tried with another password", async (_case, content, why) => {
    await writeFile(passwordPath, content);
    expect(await refusal()).toMatchObject({
      name: "StoreError",
      code: "bad-credentials",
      message: expect.stringMatching(new RegExp(`^The password in ${passwordPath} .*${why}`)),
    });
  });

  it("are refused where the address is none", async () => {
    await writeFile(emailPath, "MARKED\nMARKED@b\n");
    expect(await refusal()).toMatchObject({
      code: "bad-credentials",
      message: expect.stringMatching(/^The e-mail in .* line end/),
    });
  });
});
