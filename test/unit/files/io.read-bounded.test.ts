import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { readBounded } from "../../../src/files/io.ts";

describe("bounded read", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bounded-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("reads a file of exactly the limit, and not one byte more", async () => {
    const path = join(folder, "file");
    const limit = 70_000;
    await writeFile(path, "x".repeat(limit), { mode: 0o640 });
    const read = await readBounded(path, { maxBytes: limit, followLink: false });
    expect(read).toMatchObject({ kind: "content", mode: 0o640, owner: process.geteuid?.() });
    expect(read.kind === "content" && read.bytes.toString()).toBe("x".repeat(limit));
    expect(await readBounded(path, { maxBytes: limit - 1, followLink: false })).toEqual({
      kind: "too-large",
    });
  });

  it("follows a link only where it may", async () => {
    await writeFile(join(folder, "file"), "x");
    await symlink("file", join(folder, "link"));
    const path = join(folder, "link");
    expect(await readBounded(path, { maxBytes: 9, followLink: true })).toMatchObject({ kind: "content" });
    expect(await readBounded(path, { maxBytes: 9, followLink: false })).toEqual({ kind: "link" });
  });

  it("takes a folder, a device and a pipe that nobody writes to for no file, at once", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const path of [folder, "/dev/zero", join(folder, "pipe")]) {
      expect(await readBounded(path, { maxBytes: 9, followLink: true })).toEqual({ kind: "not-a-file" });
    }
  });

  it("tells an absent file from one that the system refuses", async () => {
    await writeFile(join(folder, "file"), "x");
    expect(await readBounded(join(folder, "none"), { maxBytes: 9, followLink: true })).toEqual({
      kind: "absent",
    });
    await expect(
      readBounded(join(folder, "file/below"), { maxBytes: 9, followLink: true }),
    ).rejects.toMatchObject({
      code: "ENOTDIR",
    });
  });
});
