import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";

/** The programs that tests of a real network run, and the Debian packages that they are in. */
const programs = { ip: "iproute2", nft: "nftables", tinyproxy: "tinyproxy-bin", microsocks: "microsocks" };

/**
 * What this machine lacks for a network of its own, in one sentence; undefined if nothing.
 * Throws in CI, where a test that is not run is a failure.
 */
export function whatLabLacks(needed: readonly string[] = Object.keys(programs)): string | undefined {
  const lack = findLack(needed);
  if (lack === undefined) return undefined;
  if (process.env["CI"] !== undefined) throw new Error(`Tests of a real network can't run here: ${lack}`);
  process.stdout.write(`\nTests of a real network are SKIPPED: ${lack}\n`);
  return lack;
}

function findLack(needed: readonly string[]): string | undefined {
  if (process.platform !== "linux") return "they need Linux.";
  if (process.getuid?.() !== 0) return "they need root, to make network namespaces.";
  const missing = Object.entries(programs).filter(
    ([program]) => needed.includes(program) && !runs("which", program),
  );
  if (missing.length > 0) {
    const names = missing.map(([program, debianPackage]) => `${program} (${debianPackage})`).join(", ");
    return `${names} not found. Run tools/ci/network-tools.sh.`;
  }
  const name = `presto-try-${process.pid}`;
  if (!runs("ip", "netns", "add", name)) return "the system makes no network namespaces.";
  const filters = !needed.includes("nft") || runs("ip", "netns", "exec", name, "nft", "add table inet try");
  run("ip", "netns", "del", name);
  return filters ? undefined : "the system has no nftables.";
}

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function runs(program: string, ...args: readonly string[]): boolean {
  try {
    run(program, ...args);
    return true;
  } catch {
    return false;
  }
}

/** A process in a host of the lab. */
export interface LabProcess {
  readonly child: ChildProcess;
  /** All that it wrote so far. */
  output(): string;
  /** Waits until its output holds this. Rejects with the output if it ends before. */
  says(text: string | RegExp): Promise<void>;
}

/** A machine of its own, as far as the network goes. */
export interface LabHost {
  /** Runs `ip ARGS` in it. */
  ip(command: string): void;
  /** Lets it pass on what is for others. */
  allowForwarding(): void;
  /** Puts rules of nftables in the place of those that it had. Each line is one command; the table is `inet lab`. */
  filter(...lines: readonly string[]): void;
  /** The names that its resolver knows. */
  knows(names: Readonly<Record<string, readonly string[]>>): void;
  /** What stands in its resolv.conf: it asks DNS, too. */
  asks(text: string, nsswitch?: string): void;
  /** TCP connections of it that are being opened at this moment. */
  opening(): number;
  /** Waits until somebody in it listens on this TCP port. */
  listens(port: number): Promise<void>;
  start(
    program: string,
    args: readonly string[],
    env?: Readonly<Record<string, string | undefined>>,
  ): LabProcess;
}

/** A network of hosts. Nothing of this machine's own network is touched. */
export interface Lab {
  host(name: string): LabHost;
  /** Lays a cable between two hosts: its ends are called `to-` and the host at the other side. */
  connect(one: string, other: string): void;
  /** Ends all processes and takes the network away. */
  close(): Promise<void>;
}

let labs = 0;

export function createLab(): Lab {
  labs += 1;
  const prefix = `presto-${process.pid}-${labs}`;
  const namespaces = new Map<string, LabHost>();
  const processes: ChildProcess[] = [];
  const nameOf = (host: string): string => `${prefix}-${host}`;

  function createHost(name: string): LabHost {
    const namespace = nameOf(name);
    const inside = (...command: readonly string[]): readonly string[] => [
      "netns",
      "exec",
      namespace,
      ...command,
    ];
    // Addresses in hexadecimal, then the state (net/tcp_states.h): 02 is SYN-SENT, 0A LISTEN.
    const sockets = (): string => run("ip", ...inside("cat", "/proc/net/tcp", "/proc/net/tcp6"));
    // What stands here is laid over /etc by `ip netns exec`, for its process alone.
    const etc = `/etc/netns/${namespace}`;
    mkdirSync(etc, { recursive: true });
    writeFileSync(`${etc}/hosts`, "127.0.0.1 localhost\n::1 localhost\n");
    writeFileSync(`${etc}/resolv.conf`, "");
    writeFileSync(`${etc}/nsswitch.conf`, "hosts: files\n");
    run("ip", "netns", "add", namespace);
    run("ip", "-n", namespace, "link", "set", "lo", "up");
    return {
      ip: (command) => void run("ip", "-n", namespace, ...command.split(" ")),
      allowForwarding() {
        for (const family of ["ipv4", "ipv6"]) {
          const path = `/proc/sys/net/${family}/conf/all/forwarding`;
          execFileSync("ip", [...inside("tee", path)], { input: "1", stdio: ["pipe", "ignore", "pipe"] });
        }
      },
      filter(...lines) {
        const rules = ["flush ruleset", "add table inet lab", ...lines].join("\n");
        execFileSync("ip", [...inside("nft", "-f", "-")], {
          input: rules,
          stdio: ["pipe", "ignore", "pipe"],
        });
      },
      knows(names) {
        const lines = Object.entries(names).flatMap(([host, addresses]) =>
          addresses.map((address) => `${address} ${host}\n`),
        );
        writeFileSync(`${etc}/hosts`, `127.0.0.1 localhost\n::1 localhost\n${lines.join("")}`);
      },
      asks(text, nsswitch = "hosts: files dns\n") {
        writeFileSync(`${etc}/resolv.conf`, text);
        writeFileSync(`${etc}/nsswitch.conf`, nsswitch);
      },
      opening: () => sockets().match(/:[0-9A-F]{4} 02 /g)?.length ?? 0,
      async listens(port) {
        const listening = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 0A `);
        while (!listening.test(sockets())) await nextTurn();
      },
      start(program, args, env = {}) {
        const child = spawn("ip", [...inside(program, ...args)], {
          env: { PATH: process.env["PATH"], ...env },
          stdio: ["pipe", "pipe", "pipe"],
        });
        processes.push(child);
        return watch(child);
      },
    };
  }

  function host(name: string): LabHost {
    let found = namespaces.get(name);
    if (found === undefined) {
      found = createHost(name);
      namespaces.set(name, found);
    }
    return found;
  }

  return {
    host,
    connect(one, other) {
      host(one).ip(`link add name to-${other} type veth peer name to-${one} netns ${nameOf(other)}`);
      host(one).ip(`link set dev to-${other} up`);
      host(other).ip(`link set dev to-${one} up`);
    },
    async close() {
      for (const child of processes) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      for (const name of namespaces.keys()) {
        run("ip", "netns", "del", nameOf(name));
        rmSync(`/etc/netns/${nameOf(name)}`, { recursive: true, force: true });
      }
    },
  };
}

function watch(child: ChildProcess): LabProcess {
  let output = "";
  let ended = false;
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      wake();
    });
  }
  child.stdin?.on("error", () => {});
  child.once("close", () => {
    ended = true;
    wake();
  });
  return {
    child,
    output: () => output,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const said = typeof text === "string" ? output.includes(text) : text.test(output);
          if (!said && !ended) return;
          watchers.delete(look);
          if (said) resolve();
          else reject(new Error(`it ended without saying ${String(text)}: ${output}`));
        };
        watchers.add(look);
        look();
      }),
  };
}
