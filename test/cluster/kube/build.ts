import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { alone, cacheFolder } from "../cache.ts";

const run = promisify(execFile);

const programs = [
  { name: "etcd", from: "go.etcd.io/etcd/server/v3" },
  { name: "kube-apiserver", from: "k8s.io/kubernetes/cmd/kube-apiserver" },
] as const;

const moduleFiles = ["go.mod", "go.sum"];

/**
 * The real etcd and kube-apiserver, built once from the Go module in this folder and kept outside of
 * the checkout, in a folder of the module's own hash, so that another version is another folder. Building takes some ten minutes
 * of processor time; Go's cache, some gigabytes, lies in a temporary folder that is dropped at the end.
 * @returns the folder with the programs
 */
export async function buildServers(tell: (line: string) => void): Promise<string> {
  const hash = createHash("sha256");
  for (const file of moduleFiles) hash.update(await readFile(join(import.meta.dirname, file)));
  const folder = join(cacheFolder(), `kube-${hash.digest("hex").slice(0, 16)}`);
  if (missingIn(folder).length > 0) await alone(() => buildInto(folder, tell));
  return folder;
}

function missingIn(folder: string) {
  return programs.filter(({ name }) => !existsSync(join(folder, name)));
}

async function buildInto(folder: string, tell: (line: string) => void): Promise<void> {
  // Another may have built them meanwhile.
  const missing = missingIn(folder);
  if (missing.length === 0) return;
  await mkdir(folder, { recursive: true });
  const temporary = await mkdtemp(join(tmpdir(), "presto-go-"));
  try {
    // Built there: a checkout that changes under it, as by a rebase, would end a build of many minutes.
    for (const file of moduleFiles) await copyFile(join(import.meta.dirname, file), join(temporary, file));
    const flags = linkerFlags(await go(temporary, ["list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"]));
    for (const { name, from } of missing) {
      tell(`building ${name}: this happens once, and takes some minutes`);
      const built = join(temporary, name);
      await go(temporary, ["build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", built, from]);
      // Not into its place at once: a copy that was cut off must not be taken for a program.
      const unfinished = join(folder, `.${name}.${process.pid}`);
      await copyFile(built, unfinished);
      await rename(unfinished, join(folder, name));
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function go(folder: string, args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    CGO_ENABLED: "0",
    GOCACHE: join(folder, "cache"),
    GOFLAGS: "-buildvcs=false",
  };
  try {
    return (await run("go", args, { cwd: folder, env })).stdout.trim();
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    throw new Error(`go ${args[0]} failed:\n${said.slice(0, 1_000)}`, { cause: error });
  }
}

/** kube-apiserver judges what it can do by the version that the linker wrote into it. */
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
