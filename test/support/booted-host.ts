import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { until } from "./until.ts";

const boot = fileURLToPath(new URL("../../tools/ci/boot-host.sh", import.meta.url));
const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** What a command came to. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A Debian with the package installed, running under its own systemd on the network of this machine. */
export interface BootedHost {
  /** Runs a command in it as root, with this standard input. */
  run(argv: readonly string[], stdin?: string): Ran;
  /** The same, and what it wrote to standard output; throws where it fails. */
  succeed(argv: readonly string[], stdin?: string): string;
  /** A property of the unit, as `systemctl show` has it. */
  property(name: string): string;
  close(): Promise<void>;
}

/** @param root folder in which the Debian lies */
export async function bootHost(root: string): Promise<BootedHost> {
  const child = spawn(boot, [root], { cwd: checkout, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += String(chunk)));

  // The script has become unshare, whose only child is the host's first process.
  const list = `/proc/${child.pid}/task/${child.pid}/children`;
  const first = (): string => (existsSync(list) ? readFileSync(list, "utf8").trim() : "");
  const inside = (argv: readonly string[]): [string, string[]] => [
    "nsenter",
    [`--target=${first()}`, "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--root", "--wdns=/", ...argv],
  ];
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", SYSTEMD_COLORS: "0" };
  const run = (argv: readonly string[], stdin = ""): Ran => {
    const { status, stdout, stderr } = spawnSync(...inside(argv), {
      env,
      input: stdin,
      encoding: "utf8",
      timeout: 60_000,
    });
    return { status, out: stdout, err: stderr };
  };

  const isUp = (): true | undefined => {
    if (child.exitCode !== null) throw new Error(`The host did not boot: ${said}`);
    if (first() === "") return undefined;
    return /^(running|degraded)/.test(run(["systemctl", "is-system-running"]).out) ? true : undefined;
  };
  await until(isUp, { withinMs: 40_000, everyMs: 100, what: () => `the host has booted: ${said}` });

  return {
    run,
    succeed(argv, stdin) {
      const { status, out, err } = run(argv, stdin);
      if (status === 0) return out;
      throw new Error(`${argv.join(" ")} ended with ${status}: ${out}${err}`);
    },
    property: (name) =>
      run(["systemctl", "show", "--value", `--property=${name}`, "presto-sidecar"]).out.trim(),
    async close() {
      const pid = Number(first());
      if (pid > 0) process.kill(pid, "SIGKILL");
      await ended;
    },
  };
}

/** Folder of the installed host and the package that is on it, where tools/ci/deb.sh has named them. */
export function installedHost(): { readonly root: string; readonly package: string } | undefined {
  const { HOST_ROOT: root, HOST_PACKAGE: file } = process.env;
  return root === undefined || file === undefined || !existsSync(join(root, "etc/debian_version"))
    ? undefined
    : { root, package: file };
}
