import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type CliResult, runCli } from "../../support/built-cli.ts";
import { environmentOf, type KubeObject, sidecarOfPod } from "../../support/render-chart.ts";
import { watchCli, type WatchedCli } from "../../support/watched-cli.ts";
import type { KubeServer } from "./server.ts";

/** A container of ours, running as the built program. */
export interface RunningContainer extends WatchedCli {
  /** Runs a command of the program in it, as `kubectl exec` does. */
  exec(argv: readonly string[]): Promise<CliResult>;
  /** Kills it, and takes its volumes away. */
  remove(): Promise<void>;
}

/**
 * What this machine lacks to run a container as kubelet does, in one sentence; undefined if nothing.
 * Throws in CI, where a test that is not run is a failure.
 */
export function whatKubeletLacks(): string | undefined {
  const lacks =
    process.getuid?.() === 0 &&
    spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0
      ? undefined
      : "it needs Linux, root and the right to mount, for volumes at the paths of a container.";
  if (lacks === undefined) return undefined;
  if (process.env["CI"] !== undefined) throw new Error(`A pod's container can't be run here: ${lacks}`);
  process.stdout.write(`\nThe test that runs a pod's container is SKIPPED: ${lacks}\n`);
  return lacks;
}

/**
 * Runs the sidecar's container of a stored Pod as kubelet would, as far as this process can: its args, its environment,
 * its user, a root that it can't write, and its volumes at their paths, each with what the API server has for it; the
 * service account's token is bound to the Pod. The pod's address is 127.0.0.1.
 */
export async function runSidecar(kube: KubeServer, pod: KubeObject): Promise<RunningContainer> {
  const container = sidecarOfPod(pod.spec);
  const folder = await mkdtemp(join(tmpdir(), "kubelet-"));
  await chmod(folder, 0o755);
  const binds: string[] = [];
  for (const { name, mountPath, readOnly } of container.volumeMounts) {
    const volume = pod.spec.volumes.find((each: KubeObject) => each.name === name);
    const place = join(folder, name);
    await mkdir(place);
    await fillVolume(kube, pod, volume, place);
    binds.push(place, mountPath, readOnly === true ? "ro" : "rw");
  }
  const { runAsUser, runAsGroup, readOnlyRootFilesystem } = container.securityContext;
  const asItsUser = [
    "setpriv",
    `--reuid=${runAsUser}`,
    `--regid=${runAsGroup}`,
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
    process.execPath,
  ];
  const env = {
    ...environmentOf(container, "127.0.0.1", pod.metadata.name, pod.metadata.namespace),
    KUBERNETES_SERVICE_HOST: kube.host,
    KUBERNETES_SERVICE_PORT: kube.port,
  };
  const running = watchCli(container.args, {
    env,
    node: "unshare",
    nodeArgs: [
      "--mount",
      "--propagation=private",
      "sh",
      "-euc",
      mountAndRun,
      "sh",
      readOnlyRootFilesystem === true ? "ro" : "rw",
      `${binds.length / 3}`,
      ...binds,
      ...asItsUser,
    ],
  });
  return {
    ...running,
    exec: (argv) =>
      runCli(argv, {
        env,
        node: "nsenter",
        nodeArgs: [`--target=${running.child.pid}`, "--mount", ...asItsUser],
      }),
    async remove() {
      running.child.kill("SIGKILL");
      await running.ended;
      await rm(folder, { recursive: true });
    },
  };
}

/** Arguments: the root's mode; how many volumes, for each its folder, its path and its mode; then the command. */
const mountAndRun = `
root=$1; count=$2; shift 2
mount -t tmpfs -o mode=0755 tmpfs "$(readlink -f /var/run)"
while [ "$count" -gt 0 ]; do
  mkdir -p "$2"
  mount --bind "$1" "$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$2"
  shift 3; count=$((count - 1))
done
[ "$root" = rw ] || mount -o remount,bind,ro /
exec "$@"`;

async function fillVolume(
  kube: KubeServer,
  pod: KubeObject,
  volume: KubeObject,
  place: string,
): Promise<void> {
  if (volume.emptyDir !== undefined) return chmod(place, 0o777);
  const sources: readonly KubeObject[] = volume.projected?.sources ?? [
    {
      configMap: volume.configMap,
      secret: volume.secret && { ...volume.secret, name: volume.secret.secretName },
    },
  ];
  const mode: number =
    Object.values<KubeObject>(volume).find((source) => source.defaultMode)?.defaultMode ?? 0o644;
  for (const { serviceAccountToken, configMap, secret } of sources) {
    if (serviceAccountToken !== undefined)
      await writeIn(place, serviceAccountToken.path, await tokenOf(kube, pod, serviceAccountToken), mode);
    const read = configMap ?? secret;
    if (read === undefined) continue;
    const kind = configMap === undefined ? "secrets" : "configmaps";
    const { json } = await kube.admin(
      "GET",
      `/api/v1/namespaces/${pod.metadata.namespace}/${kind}/${read.name}`,
    );
    const { data } = Object(json);
    for (const { key, path } of read.items) {
      const text = configMap === undefined ? Buffer.from(data[key], "base64") : data[key];
      await writeIn(place, path, text, mode);
    }
  }
}

/** The text of a file that belongs to root, as those of a volume do. */
async function writeIn(place: string, path: string, text: string | Buffer, mode: number): Promise<void> {
  const file = join(place, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode });
}

async function tokenOf(
  kube: KubeServer,
  { metadata, spec }: KubeObject,
  { audience, expirationSeconds }: KubeObject,
): Promise<string> {
  const path = `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${spec.serviceAccountName}/token`;
  const { status, json } = await kube.admin("POST", path, {
    spec: {
      expirationSeconds,
      ...(audience === undefined ? {} : { audiences: [audience] }),
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: metadata.name, uid: metadata.uid },
    },
  });
  if (status !== 201) throw new Error(`no token for ${metadata.name}: ${status}`);
  return String(Object(json).status.token);
}
