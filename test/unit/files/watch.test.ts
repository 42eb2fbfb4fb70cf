import { appendFile, chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type Clock, systemClock } from "../../../src/clock.ts";
import { createWatchedFile, type WatchedFile } from "../../../src/files/watch.ts";
import { endOf, lineOf, startChild } from "../store/children/run-child.ts";

/** A clock whose timers fire only by hand: what is told without them was told by an event. */
function createStillClock(): { clock: Clock; poll: () => void; pending: () => number } {
  const timers = new Set<() => void>();
  return {
    clock: {
      ...systemClock,
      after(_ms, run) {
        timers.add(run);
        return { cancel: () => timers.delete(run) };
      },
    },
    poll() {
      const due = [...timers];
      timers.clear();
      for (const run of due) run();
    },
    pending: () => timers.size,
  };
}

describe("watched file", () => {
  let folder: string;
  const watches: WatchedFile[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "watched-"));
  });
  afterEach(async () => {
    for (const watch of watches.splice(0)) watch.close();
    await rm(folder, { recursive: true, force: true });
  });

  function watchFile(path: string): ReturnType<typeof createStillClock> & {
    told: ReturnType<typeof vi.fn>;
    /** Whatever may have been told of the time before is forgotten. */
    quiet: () => Promise<void>;
  } {
    const still = createStillClock();
    const told = vi.fn<() => void>();
    const watch = createWatchedFile({ path, clock: still.clock, onChange: told });
    watches.push(watch);
    return {
      ...still,
      told,
      async quiet() {
        await watch.ready;
        told.mockClear();
      },
    };
  }

  it.each<[string, (path: string) => Promise<void>]>([
    ["is written in place", (path) => writeFile(path, "changed")],
    ["is appended to", (path) => appendFile(path, "more")],
    [
      "is replaced by a rename",
      async (path) => {
        await writeFile(`${path}.new`, "changed");
        await rename(`${path}.new`, path);
      },
    ],
    ["is removed", (path) => rm(path)],
  ])("tells by an event when the file %s", async (_case, change) => {
    const path = join(folder, "token");
    await writeFile(path, "old");
    const { told } = watchFile(path);
    await change(path);
    await expect.poll(() => told).toHaveBeenCalled();
  });

  it("tells by an event when a Kubernetes mount swaps its link", async () => {
    await mkdir(join(folder, "..1"));
    await mkdir(join(folder, "..2"));
    await writeFile(join(folder, "..1/token"), "old");
    await writeFile(join(folder, "..2/token"), "new");
    await symlink("..1", join(folder, "..data"));
    await symlink("..data/token", join(folder, "token"));
    const { told } = watchFile(join(folder, "token"));
    await symlink("..2", join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    await expect.poll(() => told).toHaveBeenCalled();
  });

  it("tells whenever an event names the file, for two writes can share one tick of the file system's clock", async () => {
    const path = join(folder, "token");
    await writeFile(join(folder, "target"), "same");
    await symlink("target", path);
    const { told } = watchFile(path);
    // What the path leads to is the same file with the same times, before and after.
    await symlink("target", join(folder, "link"));
    await rename(join(folder, "link"), path);
    await expect.poll(() => told).toHaveBeenCalled();
  });

  it("is quiet about other files of the folder", async () => {
    const path = join(folder, "token");
    await writeFile(path, "old");
    const { told, quiet } = watchFile(path);
    const witness = watchFile(join(folder, "other"));
    await quiet();
    await witness.quiet();
    await writeFile(join(folder, "other"), "x");
    await expect.poll(() => witness.told).toHaveBeenCalled();
    expect(told).not.toHaveBeenCalled();
  });

  it("tells of a file whose folder was made later, by polling and then by events", async () => {
    const path = join(folder, "mount", "token");
    const { told, poll, quiet } = watchFile(path);
    await quiet();
    await mkdir(join(folder, "mount"));
    await writeFile(path, "first");
    expect(told).not.toHaveBeenCalled();
    poll();
    await expect.poll(() => told).toHaveBeenCalled();

    told.mockClear();
    await writeFile(path, "second");
    await expect.poll(() => told).toHaveBeenCalled();
  });

  it("follows a folder that was removed and made again", async () => {
    const mount = join(folder, "mount");
    const path = join(mount, "token");
    await mkdir(mount);
    await writeFile(path, "old");
    const { told, poll } = watchFile(path);
    await rename(mount, join(folder, "gone"));
    await mkdir(mount);
    await writeFile(path, "new");
    poll();
    await expect.poll(() => told).toHaveBeenCalled();
    // A second watch sees an event of its own: whatever the first had still to look at is over by then.
    const witness = watchFile(join(mount, "other"));
    await writeFile(join(mount, "other"), "x");
    await expect.poll(() => witness.told).toHaveBeenCalled();

    told.mockClear();
    await writeFile(path, "newer");
    await expect.poll(() => told).toHaveBeenCalled();
  });

  it("calls nobody and leaves no timer once it is closed", async () => {
    const path = join(folder, "token");
    const { told, pending } = watchFile(path);
    const witness = watchFile(path);
    for (const watch of watches.splice(0, 1)) watch.close();
    expect(pending()).toBe(0);
    await writeFile(path, "x");
    await expect.poll(() => witness.told).toHaveBeenCalled();
    expect(told).not.toHaveBeenCalled();
  });

  it("polls alone where the system gives no watch", async () => {
    // A folder that may be entered but not read can't be watched; the super-user must step down to see it.
    await writeFile(join(folder, "token"), "old");
    await chmod(folder, 0o711);
    const user = process.geteuid?.() === 0 ? "65534" : "-";
    if (user === "-") await chmod(folder, 0o311);
    const script = new URL("children/watch-unwatchable.ts", import.meta.url);
    const child = startChild(script.href, [join(folder, "token"), user]);
    const ended = endOf(child);
    await lineOf(child, "watching");
    await writeFile(join(folder, "token"), "new and longer");
    expect(await ended).toEqual({ code: 0, stdout: "refused: EACCES\nwatching\ntold\n", stderr: "" });
    await chmod(folder, 0o700);
  });
});
