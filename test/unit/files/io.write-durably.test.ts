import crypto from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { removeLeftovers, writeDurably } from "../../../src/files/io.ts";

describe("durable write", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "durable-"));
    path = join(folder, "record");
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
    await rm(folder, { recursive: true });
  });

  it("puts the content there with mode 0600, whatever the umask and the old file's mode", async () => {
    await writeFile(path, "old", { mode: 0o666 });
    const umask = process.umask(0);
    try {
      await writeDurably(path, "new");
    } finally {
      process.umask(umask);
    }
    expect(await readFile(path, "utf8")).toBe("new");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["record"]);
  });

  it("replaces a link, and leaves what it points to alone", async () => {
    await writeFile(join(folder, "target"), "untouched");
    await symlink("target", path);
    await writeDurably(path, "new");
    expect(await readFile(join(folder, "target"), "utf8")).toBe("untouched");
    expect(await readFile(path, "utf8")).toBe("new");
  });

  it("follows no link that somebody put at the temporary name, and does not remove it", async () => {
    const name = "00000000-0000-4000-8000-000000000000";
    vi.spyOn(crypto, "randomUUID").mockReturnValue(name);
    syncBuiltinESMExports();
    await writeFile(join(folder, "target"), "untouched");
    await symlink("target", join(folder, `.record.${name}.tmp`));
    await expect(writeDurably(path, "new")).rejects.toMatchObject({ code: "EEXIST" });
    expect(await readFile(join(folder, "target"), "utf8")).toBe("untouched");
    expect(await readdir(folder)).toEqual([`.record.${name}.tmp`, "target"]);
  });

  it("leaves nothing behind when the rename fails", async () => {
    await mkdir(path);
    await expect(writeDurably(path, "new")).rejects.toMatchObject({ code: "EISDIR" });
    expect(await readdir(folder)).toEqual(["record"]);
  });

  it("removes what killed writers of this file left, and nothing else", async () => {
    const leftover = ".record.3f0a4b5c-0000-4000-8000-000000000001.tmp";
    const kept = [
      ".other.3f0a4b5c-0000-4000-8000-000000000001.tmp",
      ".record..tmp",
      ".record.mine.tmp",
      "record",
      "record.3f0a4b5c-0000-4000-8000-000000000001.tmp",
    ];
    for (const name of [leftover, ...kept]) await writeFile(join(folder, name), "x");
    await removeLeftovers(path);
    expect((await readdir(folder)).toSorted()).toEqual(kept);
  });
});
