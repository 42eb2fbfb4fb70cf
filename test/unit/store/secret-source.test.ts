import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { readSecret } from "../../../src/store/secret-source.ts";

describe("secret source", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "secret-"));
    path = join(folder, "token");
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function read(): Promise<string> {
    return (await readSecret({ kind: "file", path }, "token")).reveal();
  }

  it("takes a value as it is", async () => {
    expect((await readSecret({ kind: "value", secret: new Secret("abc\n") }, "token")).reveal()).toBe(
      "abc\n",
    );
  });

  it.each([
    ["abc", "abc"],
    ["abc\n", "abc"],
    ["abc\r\n", "abc"],
    ["abc\n\n", "abc\n"],
    ["abc\r", "abc\r"],
    ["\nabc", "\nabc"],
    [" abc ", " abc "],
  ])("drops one line end at the end of %j", async (content, expected) => {
    await writeFile(path, content);
    expect(await read()).toBe(expected);
  });

  it("keeps bytes that are not ASCII for the check that follows", async () => {
    await writeFile(path, Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xe9]));
    expect(await read()).toBe("\u00ef\u00bb\u00bfa\u00e9");
  });

  it("is not-yet while the file or its folder is absent, or the file holds nothing", async () => {
    const missing = readSecret({ kind: "file", path: join(folder, "no/token") }, "token");
    await expect(missing).rejects.toMatchObject({ code: "not-yet" });
    await expect(read()).rejects.toMatchObject({ code: "not-yet", message: expect.stringContaining(path) });
    for (const content of ["", "\n", "\r\n"]) {
      await writeFile(path, content);
      await expect(read()).rejects.toMatchObject({ code: "not-yet", message: expect.stringContaining(path) });
    }
  });

  it("follows the links of a mount, and needs no mode narrower than 0755", async () => {
    await writeFile(join(folder, "target"), "abc");
    await chmod(join(folder, "target"), 0o755);
    await symlink("target", path);
    expect(await read()).toBe("abc");
  });

  it("refuses a folder, and a file too large to be a secret", async () => {
    await expect(readSecret({ kind: "file", path: folder }, "token")).rejects.toMatchObject({
      code: "unreadable",
    });
    await writeFile(path, "x".repeat(65_537));
    await expect(read()).rejects.toMatchObject({ code: "unreadable" });
  });

  it("says what the system refused, and where", async () => {
    await writeFile(path, "abc");
    const below = readSecret({ kind: "file", path: join(path, "below") }, "store key");
    await expect(below).rejects.toThrow(
      `The store key file ${join(path, "below")} could not be read (ENOTDIR).`,
    );
  });

  it("names the variable that has it, whatever is wrong with it", async () => {
    const named = (): Promise<Secret> =>
      readSecret({ kind: "file", path, variable: "PRESTO_TOKEN_FILE" }, "token");
    const faults: readonly (() => Promise<void>)[] = [
      () => rm(path, { force: true }),
      () => writeFile(path, ""),
      () => writeFile(path, "x".repeat(65_537)),
      async () => {
        await writeFile(path, "abc");
        await chmod(path, 0o666);
      },
      async () => {
        await rm(path);
        await mkdir(path);
      },
    ];
    for (const cause of faults) {
      await cause();
      await expect(named()).rejects.toThrow(`${path} (PRESTO_TOKEN_FILE) `);
    }
  });
});
