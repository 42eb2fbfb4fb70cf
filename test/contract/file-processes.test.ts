import { spawn } from "node:child_process";
import { watch } from "node:fs";
import { chmod, chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import { createFileStore } from "../support/file-stores.ts";
import { endOf, lineOf, startChild } from "../unit/store/children/run-child.ts";
import { newKey, recordOf } from "../unit/store/records.ts";

const root = process.geteuid?.() === 0;
const nobody = 65534;

describe("file store between processes", () => {
  let folder: string;
  let path: string;
  const key = newKey();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "file-"));
    path = join(folder, "record");
    await store().write(recordOf("a-token", 0), undefined);
  });
  afterEach(async () => {
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true });
  });

  function store(): ReturnType<typeof createFileStore> {
    return createFileStore({ path, keys: { kind: "value", secret: new Secret(key) }, clock: systemClock });
  }

  function temporaryFile(): Promise<void> {
    return new Promise((resolve) => {
      const watcher = watch(folder, (_event, name) => {
        if (name?.endsWith(".tmp") !== true) return;
        watcher.close();
        resolve();
      });
    });
  }

  it("loses none of the writes of two processes at once", async () => {
    const ends = await Promise.all([1, 2].map(() => endOf(startChild("increment.ts", [path, key, "50"]))));
    // Standard error too: no warning about an experimental module may reach an operator.
    expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
      { code: 0, stderr: "" },
      { code: 0, stderr: "" },
    ]);
    expect((await store().read())?.record.generation).toBe(100);
  });

  it("always has a whole record, whenever its writer is killed", async () => {
    let generation = 0;
    let cutShort = 0;
    for (let round = 0; round < 20; round += 1) {
      const child = startChild("write-for-ever.ts", [path, key]);
      const ended = endOf(child);
      await lineOf(child, "writing");
      // Half of them as soon as a temporary file appears, half somewhere in a write of a few milliseconds.
      if (round % 2 === 0) await temporaryFile();
      else await systemClock.sleep(round * 0.7);
      child.kill("SIGKILL");
      await ended;
      if ((await readdir(folder)).some((name) => name.endsWith(".tmp"))) cutShort += 1;
      const read = await store().read();
      expect(read?.record.token?.reveal()).toMatch(`token-${read?.record.generation}-`);
      expect(read?.record.generation).toBeGreaterThan(generation);
      generation = read?.record.generation ?? 0;
    }
    // Some died between the making of the temporary file and the rename, or this test shows nothing.
    expect(cutShort).toBeGreaterThan(0);
    // The lock is free, and one more write tidies up.
    await store().write(recordOf("after", 1), (await store().read())?.version);
    expect(await readdir(folder)).toEqual(["record", "record.write-lock"]);
    // Twenty processes, one after the other, of which a busy machine starts one in seconds.
  }, 240_000);

  it("shows readers the old record or the new one, never half of one", async () => {
    const child = startChild("write-for-ever.ts", [path, key]);
    const ended = endOf(child);
    await lineOf(child, "writing");
    const reader = store();
    const seen = new Set<string>();
    while (seen.size < 50) {
      const read = await reader.read();
      expect(read?.record.token?.reveal()).toMatch(`token-${read?.record.generation}-`);
      seen.add(read?.version ?? "");
    }
    child.kill("SIGKILL");
    await ended;
  });

  it("says which folder it may not write to, and leaves the record", async () => {
    await chmod(folder, 0o500);
    if (root)
      for (const name of ["", "record", "record.write-lock"]) await chown(join(folder, name), nobody, nobody);
    const before = await readFile(path, "latin1");
    const { stdout } = await endOf(startChild("write-once.ts", [path, key, root ? `${nobody}` : "-"]));
    expect(JSON.parse(stdout)).toEqual({
      outcome: "threw",
      code: "system-refused",
      message: expect.stringMatching(`^The record ${path} could not be written \\(EACCES\\)\\. .*${folder}`),
    });
    expect(await readFile(path, "latin1")).toBe(before);
  });

  it("leaves the old record and no half of a new one when the system stops a write in its middle", async () => {
    const before = await readFile(path, "latin1");
    const script = fileURLToPath(new URL("../unit/store/children/write-once.ts", import.meta.url));
    // As on a full disk: files of this process may not grow beyond 8 blocks of 512 or 1024 bytes (EFBIG).
    const limited = spawn(
      "sh",
      ["-c", 'ulimit -f 8 && exec "$0" "$@"', process.execPath, script, path, key, "-"],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const { stdout } = await endOf(limited);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: "threw",
      code: "system-refused",
      message: expect.stringContaining("could not be written (EFBIG)"),
    });
    expect(await readFile(path, "latin1")).toBe(before);
    expect(await readdir(folder)).toEqual(["record", "record.write-lock"]);
    // Twenty processes, one after the other, of which a busy machine starts one in seconds.
  }, 240_000);
});
