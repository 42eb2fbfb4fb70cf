import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import type { RenewalLock } from "../../../../src/store/contract.ts";
import { createSingleHostLock } from "../../../../src/store/file/lock.ts";
import { canStick, createStuckMount } from "../../../support/stuck-mount.ts";
import { endOf, lineOf, startChild } from "../children/run-child.ts";

const sticks = await canStick();

describe("single-host lock", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lock-"));
    path = join(folder, "record.lock");
  });
  afterEach(() => rm(folder, { recursive: true }));

  function lock(clock = systemClock): RenewalLock {
    return createSingleHostLock({ path, what: "the record", clock });
  }

  it("is held by one at a time within a process, the first time included", async () => {
    const results = await Promise.allSettled(
      [lock(), lock(), lock()].map((one) => one.acquire({ waitMs: 0 })),
    );
    const taken = results.filter((result) => result.status === "fulfilled");
    expect(taken).toHaveLength(1);
    await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "try-again" });
    await taken[0]?.value.release();
    await (await lock().acquire({ waitMs: 0 })).release();
  });

  it("is kept from another process, and free at once when its holder is killed", async () => {
    const child = startChild("hold-lock.ts", [path]);
    try {
      await lineOf(child, "held");
      const refusal = lock().acquire({ waitMs: 0 });
      await expect(refusal).rejects.toMatchObject({ code: "try-again" });
      await expect(refusal).rejects.toThrow(`Process ${child.pid} on `);
      expect((await stat(`${path}-holder`)).mode & 0o777).toBe(0o600);
    } finally {
      const ended = endOf(child);
      child.kill("SIGKILL");
      await ended;
    }
    const held = await lock().acquire({ waitMs: 0 });
    expect(await readFile(`${path}-holder`, "utf8")).toContain(`process ${process.pid} on `);
    await held.release();
  });

  it("of one file is not lost by what happens to another's, nor by a look at its own", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    const other = createSingleHostLock({
      path: join(folder, "other.lock"),
      what: "another",
      clock: systemClock,
    });
    await (await other.acquire({ waitMs: 0 })).release();
    await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "try-again" });
    const child = startChild("hold-lock.ts", [path]);
    expect((await endOf(child)).stderr).toContain("holds the lock of the record");
    expect(held.heldUntil()).toBe(Number.POSITIVE_INFINITY);
    await held.release();
  });

  it.runIf(sticks)(
    "is given back without a wait of the main thread where its mount has stopped answering",
    async () => {
      const mount = await createStuckMount();
      mount.write("record.lock", "");
      const child = startChild("release-when-told.ts", [mount.path("record.lock")]);
      try {
        await lineOf(child, "held");
        mount.stop();
        child.stdin?.write("release\n");
        await lineOf(child, "late by little");
      } finally {
        mount.goOn();
        child.kill("SIGKILL");
        await mount.remove();
      }
    },
    60_000,
  );

  it("waits for as long as it was told, on the clock that it was given", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    let now = 0;
    const slept: number[] = [];
    const clock = {
      ...systemClock,
      monotonic: () => now,
      async sleep(ms: number) {
        slept.push(ms);
        now += ms;
      },
    };
    await expect(lock(clock).acquire({ waitMs: 5_010 })).rejects.toMatchObject({
      code: "try-again",
      exitCode: 75,
    });
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBe(5_010);
    await held.release();
  });

  it("is waited for without end where that is asked for, and less often as time goes by", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    let now = 0;
    const slept: number[] = [];
    const clock = {
      ...systemClock,
      monotonic: () => now,
      async sleep(ms: number) {
        slept.push(ms);
        now += ms;
        if (now > 3_600_000) await held.release();
      },
    };
    const next = await lock(clock).acquire({ waitMs: Number.POSITIVE_INFINITY });
    expect(now).toBeGreaterThan(3_600_000);
    expect([slept[0], slept.at(-1)]).toEqual([20, 250]);
    await next.release();
  });

  it("says what it is, and that it ends with its holder alone: by its release or its death", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    expect(held.identity).toBe(`file lock ${path}`);
    expect([held.heldUntil(), await held.renew()]).toEqual([Number.POSITIVE_INFINITY, true]);
    await held.release();
    expect([held.heldUntil(), await held.renew()]).toEqual([Number.NEGATIVE_INFINITY, false]);
  });

  it("takes it as soon as it is given back", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    const clock = {
      ...systemClock,
      async sleep() {
        await held.release();
      },
    };
    await (await lock(clock).acquire({ waitMs: 1_000 })).release();
  });

  it("ends the waiting when it is told to, and does not begin it after that", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    const stop = new AbortController();
    const waiting = lock().acquire({ waitMs: 60_000, signal: stop.signal });
    stop.abort(new Error("stopping"));
    await expect(waiting).rejects.toThrow("stopping");
    await held.release();
    await expect(lock().acquire({ waitMs: 0, signal: stop.signal })).rejects.toThrow("stopping");
    await (await lock().acquire({ waitMs: 0 })).release();
  });

  it("may be given back twice without taking it from the next holder", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    await held.release();
    const next = await lock().acquire({ waitMs: 0 });
    await held.release();
    await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "try-again" });
    await next.release();
  });

  it.skipIf(process.platform !== "linux")(
    "leaves no file open, whether it was got or not (seen by /proc)",
    async () => {
      const held = await lock().acquire({ waitMs: 0 });
      await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "try-again" });
      await held.release();
      const open = await Promise.all(
        (await readdir("/proc/self/fd")).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")),
      );
      expect(open).not.toContain(path);
    },
  );

  it("leaves one empty file of mode 0600 behind", async () => {
    const umask = process.umask(0);
    try {
      const held = await lock().acquire({ waitMs: 0 });
      expect(await readdir(folder)).toEqual(["record.lock", "record.lock-holder"]);
      await held.release();
    } finally {
      process.umask(umask);
    }
    expect(await readdir(folder)).toEqual(["record.lock"]);
    const stats = await stat(path);
    expect([stats.mode & 0o777, stats.size]).toEqual([0o600, 0]);
  });

  it("repeats nothing odd that stands in the holder's file", async () => {
    const held = await lock().acquire({ waitMs: 0 });
    await writeFile(`${path}-holder`, "process 1 on \u001b[2Jhost since yesterday\n");
    await expect(lock().acquire({ waitMs: 0 })).rejects.toThrow(
      /^Another process holds the lock of the record\./,
    );
    await held.release();
  });

  it("uses no file that is not its own: one of wider mode, a link, or one with content", async () => {
    await writeFile(path, "", { mode: 0o600 });
    await chmod(path, 0o644);
    await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "system-refused" });
    await rm(path);
    await writeFile(join(folder, "elsewhere"), "", { mode: 0o600 });
    await symlink("elsewhere", path);
    await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "system-refused" });
    await rm(path);
    await writeFile(path, "somebody's notes ".repeat(100), { mode: 0o600 });
    await expect(lock().acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "system-refused" });
    expect(await readFile(path, "utf8")).toContain("somebody's notes");
  });

  it("says which folder to make when there is none", async () => {
    const none = createSingleHostLock({
      path: join(folder, "none/lock"),
      what: "the record",
      clock: systemClock,
    });
    await expect(none.acquire({ waitMs: 0 })).rejects.toThrow(`Make the folder ${join(folder, "none")}`);
  });
});
