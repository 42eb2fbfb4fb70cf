import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A file system that answers, or does not: a FUSE mount whose daemon is stopped, as a network mount is whose server has gone. */
export interface StuckMount {
  /** The path of one of its files. Not to be touched by the test itself while it is stuck. */
  path(name: string): string;
  write(name: string, content: string): void;
  /** From now on nobody is answered. */
  stop(): void;
  goOn(): void;
  remove(): Promise<void>;
}

const daemonFile = fileURLToPath(new URL("children/fuse-daemon.ts", import.meta.url));

/** @throws Error where this user may not mount */
export async function createStuckMount(): Promise<StuckMount> {
  const mountPoint = mkdtempSync(join(tmpdir(), "stuck-mount-"));
  const folder = mkdtempSync(join(tmpdir(), "behind-mount-"));
  const daemon = spawn(process.execPath, [daemonFile, mountPoint, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(daemon, "close");
  const [said] = (await once(daemon.stdout, "data")) as [Buffer];
  const remove = async (): Promise<void> => {
    daemon.kill("SIGCONT");
    spawnSync("umount", ["-l", mountPoint]);
    daemon.kill("SIGKILL");
    await ended;
    for (const path of [mountPoint, folder]) rmSync(path, { recursive: true });
  };
  if (String(said) !== "mounted\n") {
    await remove();
    throw new Error(String(said));
  }
  return {
    path: (name) => join(mountPoint, name),
    write: (name, content) => writeFileSync(join(folder, name), content, { mode: 0o600 }),
    stop: () => void daemon.kill("SIGSTOP"),
    goOn: () => void daemon.kill("SIGCONT"),
    remove,
  };
}

/** May this user mount a file system of its own making? In many containers not even root may. */
export async function canStick(): Promise<boolean> {
  try {
    await (await createStuckMount()).remove();
    return true;
  } catch {
    return false;
  }
}
