import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { alone, cacheFolder } from "../cache.ts";

const run = promisify(execFile);

/** Programs that one Go module pins. */
interface Pinned {
  readonly name: string;
  /** Of its go.mod and go.sum. */
  readonly module: string;
  readonly programs: readonly { readonly name: string; readonly from: string }[];
}

const servers: Pinned = {
  name: "kube",
  module: import.meta.dirname,
  programs: [
    { name: "etcd", from: "go.etcd.io/etcd/server/v3" },
    { name: "kube-apiserver", from: "k8s.io/kubernetes/cmd/kube-apiserver" },
  ],
};

/** A module of its own, so that another version of kwok does not have the API server built anew. */
const controllers: Pinned = {
  name: "kube-controllers",
  module: join(import.meta.dirname, "controllers"),
  programs: [
    { name: "kube-controller-manager", from: "k8s.io/kubernetes/cmd/kube-controller-manager" },
    { name: "kube-scheduler", from: "k8s.io/kubernetes/cmd/kube-scheduler" },
    { name: "kwok", from: "sigs.k8s.io/kwok/cmd/kwok" },
  ],
};

const moduleFiles = ["go.mod", "go.sum"];

/** The real etcd and kube-apiserver. @returns the folder with the programs */
export async function buildServers(): Promise<string> {
  await build([servers]);
  return folderOf(servers);
}

/** The real kube-controller-manager and kube-scheduler, and kwok. @returns the folder with the programs */
export async function buildControllers(): Promise<string> {
  const [one, other] = await Promise.all([servers, controllers].map(kubernetesOf));
  // https://kubernetes.io/releases/version-skew-policy/: those may not be newer, and tests are of one cluster.
  if (one !== other) throw new Error(`the API server is Kubernetes ${one}, its controllers are ${other}`);
  await build([controllers]);
  return folderOf(controllers);
}

/** All of them; what they have in common is compiled once. */
export function buildAll(): Promise<void> {
  return build([servers, controllers]);
}

/**
 * Builds what is not there yet, once, and keeps it outside of the checkout, in a folder of the module's own hash, so
 * that another version is another folder. Go's cache, some gigabytes, lies in a temporary folder that is dropped at the end.
 */
async function build(all: readonly Pinned[]): Promise<void> {
  const temporary = await mkdtemp(join(tmpdir(), "presto-go-"));
  try {
    for (const pinned of all)
      if ((await missingOf(pinned)).length > 0)
        await alone(pinned.name, () => buildMissing(pinned, temporary));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function folderOf({ name, module }: Pinned): Promise<string> {
  const hash = createHash("sha256");
  for (const file of moduleFiles) hash.update(await readFile(join(module, file)));
  return join(cacheFolder(), `${name}-${hash.digest("hex").slice(0, 16)}`);
}

async function kubernetesOf({ module }: Pinned): Promise<string | undefined> {
  return /k8s\.io\/kubernetes (v\S+)/.exec(await readFile(join(module, "go.mod"), "utf8"))?.[1];
}

async function missingOf(pinned: Pinned): Promise<Pinned["programs"]> {
  const folder = await folderOf(pinned);
  return pinned.programs.filter(({ name }) => !existsSync(join(folder, name)));
}

async function buildMissing(pinned: Pinned, temporary: string): Promise<void> {
  // Another may have built them meanwhile.
  const missing = await missingOf(pinned);
  if (missing.length === 0) return;
  const folder = await folderOf(pinned);
  await mkdir(folder, { recursive: true });
  // Built there: a checkout that changes under it, as by a rebase, would end a build of many minutes.
  for (const file of moduleFiles) await copyFile(join(pinned.module, file), join(temporary, file));
  const version = await go(temporary, ["list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"]);
  const flags = linkerFlags(version.out);
  for (const { name, from } of missing) {
    tell(`building ${name}: this happens once, and takes some minutes`);
    const built = join(temporary, name);
    const args = ["build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", built, from];
    const { cpuSeconds } = await go(temporary, args);
    const { size } = await stat(built);
    tell(`built ${name}: ${cpuSeconds} s of processor time, ${Math.round(size / 1e6)} MB`);
    // Not into its place at once: a copy that was cut off must not be taken for a program.
    const unfinished = join(folder, `.${name}.${process.pid}`);
    await copyFile(built, unfinished);
    await rename(unfinished, join(folder, name));
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Of POSIX' shell: runs its arguments, and says below their output what processor time they took. */
const timed = '"$@"; status=$?; times; exit "$status"';

async function go(folder: string, args: readonly string[]): Promise<{ out: string; cpuSeconds: number }> {
  const env = {
    ...process.env,
    CGO_ENABLED: "0",
    GOCACHE: join(folder, "cache"),
    GOFLAGS: "-buildvcs=false",
  };
  try {
    const { stdout } = await run("sh", ["-c", timed, "sh", "go", ...args], { cwd: folder, env });
    const [out = "", ...minutesAndSeconds] =
      /^(.*?)\S+ \S+\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/s.exec(stdout)?.slice(1) ?? [];
    const [userMinutes = 0, user = 0, systemMinutes = 0, system = 0] = minutesAndSeconds.map(Number);
    return { out: out.trim(), cpuSeconds: Math.round((userMinutes + systemMinutes) * 60 + user + system) };
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    throw new Error(`go ${args[0]} failed:\n${said.slice(0, 1_000)}`, { cause: error });
  }
}

/** Kubernetes' programs judge what they can do by the version that the linker wrote into them. */
function linkerFlags(version: string): string {
  const [major = "1", minor = "0"] = version.slice(1).split(".");
  const variable = "k8s.io/component-base/version";
  return [
    "-s -w",
    `-X ${variable}.gitVersion=${version}`,
    `-X ${variable}.gitMajor=${major}`,
    `-X ${variable}.gitMinor=${minor}`,
  ].join(" ");
}
