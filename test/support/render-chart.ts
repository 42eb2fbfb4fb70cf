import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { parseAllDocuments } from "yaml";

/** A Kubernetes object as it was rendered; what a test asks of it is its check. */
// oxlint-disable-next-line typescript/no-explicit-any -- no schema of Kubernetes is at hand; each expectation is one
export type KubeObject = any;

export const chartFolder = fileURLToPath(new URL("../../helm/presto-sidecar", import.meta.url));

const isThere = (tool: string): boolean => spawnSync(tool, ["--help"]).status === 0;

/** Helm and kubectl are there: tools/ci/chart.sh puts them into PATH. */
export const hasKubeTools = ["helm", "kubectl"].every(isThere);

/** The Helm before it, too, under a name of its own. */
export const hasHelm3 = isThere("helm3");

/** The objects of a YAML text, in its order, read by the rules of YAML 1.1 as Kubernetes does. */
export function readObjects(text: string): KubeObject[] {
  return parseAllDocuments(text, { strict: true, version: "1.1" })
    .filter((document) => document.contents !== null)
    .map((document): KubeObject => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS();
    });
}

/** What every release has to say; `url: undefined` leaves it out. */
const needed = { url: "https://presto.example" };

/** @param values as a values file would have them, or the name of one under ci/ */
function valuesArguments(values: object | string, folder: string): string[] {
  if (typeof values === "string") return ["--values", join(chartFolder, "ci", values)];
  const file = join(folder, "values.json");
  writeFileSync(file, JSON.stringify({ ...needed, ...values }));
  return ["--values", file];
}

function withFolder<T>(run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "chart-"));
  try {
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Of files under ci/, which many tests ask for. */
const rendered = new Map<string, string>();

/** What `helm template` renders. */
export function renderChart(values: object | string = {}, helm: "helm" | "helm3" = "helm"): KubeObject[] {
  const name = typeof values === "string" ? `${helm} ${values}` : undefined;
  const known = name === undefined ? undefined : rendered.get(name);
  if (known !== undefined) return readObjects(known);
  const text = withFolder((folder) =>
    execFileSync(helm, ["template", "example", chartFolder, ...valuesArguments(values, folder)], {
      encoding: "utf8",
    }),
  );
  if (name !== undefined) rendered.set(name, text);
  return readObjects(text);
}

/** What Helm says against these values; empty if it takes them. @param served kinds that a cluster is known to serve */
export function refusalOf(
  values: object,
  helm: "helm" | "helm3" = "helm",
  served: readonly string[] = [],
): string {
  return withFolder((folder) => {
    const cluster = served.flatMap((kind) => ["--api-versions", kind]);
    const argv = ["template", "example", chartFolder, ...valuesArguments(values, folder), ...cluster];
    const run = spawnSync(helm, argv, { encoding: "utf8" });
    return run.status === 0 ? "" : run.stderr;
  });
}

/** Versions of the chart that were released, by the defaults that are kept of them. */
export const releasedCharts: readonly string[] = globSync("*-values.yaml", {
  cwd: join(chartFolder, "../released"),
})
  .map((file) => file.replace("-values.yaml", ""))
  .toSorted();

/**
 * What Helm says against an upgrade from a released version under --reuse-values, by which the defaults of that one
 * stand in the place of ours; empty if it takes them.
 */
export function refusalOfReused(version: string, values: object): string {
  return withFolder((folder) => {
    const chart = join(folder, "chart");
    cpSync(chartFolder, chart, { recursive: true });
    cpSync(join(chartFolder, "../released", `${version}-values.yaml`), join(chart, "values.yaml"));
    const run = spawnSync("helm", ["template", "example", chart, ...valuesArguments(values, folder)], {
      encoding: "utf8",
    });
    return run.status === 0 ? "" : run.stderr;
  });
}

/** What a person reads after installing. */
export function notesOf(values: object): string {
  return withFolder((folder) =>
    execFileSync(
      "helm",
      ["install", "example", chartFolder, "--dry-run=client", ...valuesArguments(values, folder)],
      { encoding: "utf8" },
    ).replace(/^[\s\S]*\nNOTES:\n/, ""),
  );
}

/** What the chart under helm/examples renders that has ours as a dependency. */
export function renderDependent(name: string, values: object = {}, alias?: string): KubeObject[] {
  return withFolder((folder) => {
    // A copy, since Helm puts the dependency's archive into it; its path to ours is a relative one.
    cpSync(join(chartFolder, ".."), folder, { recursive: true });
    const place = join(folder, "examples", name);
    if (alias !== undefined) {
      for (const file of ["Chart.yaml", "values.yaml", "templates/deployment.yaml"]) {
        const path = join(place, file);
        const text = readFileSync(path, "utf8").replace('Subcharts "presto-sidecar"', `Subcharts "${alias}"`);
        const named = text
          .replace(/^(presto-sidecar:)$/m, `${alias}:`)
          .replace("presto-sidecar.enabled", `${alias}.enabled`);
        writeFileSync(path, named.replace(/^( +)condition:/m, `$1alias: ${alias}\n$1condition:`));
      }
    }
    execFileSync("helm", ["dependency", "build", place], { stdio: "pipe" });
    const file = join(folder, "given.json");
    writeFileSync(file, JSON.stringify(values));
    const given = ["--values", file];
    return readObjects(execFileSync("helm", ["template", "example", place, ...given], { encoding: "utf8" }));
  });
}

/**
 * The same Deployment as Kubernetes' own types hold it: kubectl drops the fields that
 * they don't have, so that a misspelt one shows as a difference.
 */
export function asKubernetesReads(deployment: KubeObject): KubeObject {
  const { name, image } = deployment.spec.template.spec.containers[0];
  // kubectl prints nothing where nothing changes: another image is put in, and taken back.
  const text = execFileSync(
    "kubectl",
    ["set", "image", "--local", "--filename=-", "--output=json", `${name}=another`],
    { input: JSON.stringify(deployment), encoding: "utf8", env: { ...process.env, KUBECONFIG: "/dev/null" } },
  );
  const read: KubeObject = JSON.parse(text);
  read.spec.template.spec.containers[0].image = image;
  return read;
}

export function deploymentOf(objects: KubeObject[]): KubeObject {
  return objects.find(({ kind }) => kind === "Deployment");
}

export function podOf(objects: KubeObject[]): KubeObject {
  return deploymentOf(objects).spec.template.spec;
}

export function sidecarOf(objects: KubeObject[]): KubeObject {
  return podOf(objects).initContainers[0];
}

/** Names of the files under ci/, each a set of values. */
export const valueSets: readonly string[] = globSync("*-values.yaml", {
  cwd: join(chartFolder, "ci"),
}).toSorted();

/** Each Deployment's pod with our container in it. */
export function sidecarPods(objects: KubeObject[]): { name: string; pod: KubeObject; sidecar: KubeObject }[] {
  return objects
    .filter(({ kind }) => kind === "Deployment")
    .map(({ metadata: { name }, spec }) => {
      const pod = spec.template.spec;
      return { name, pod, sidecar: sidecarOfPod(pod) };
    });
}

/** The container of ours, whichever list it stands in. */
export function sidecarOfPod(pod: KubeObject): KubeObject {
  return [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === "presto-sidecar");
}

/** The environment as the kubelet would make it: `$(NAME)` stands for a variable further up. */
export function environmentOf(
  sidecar: KubeObject,
  podIp: string,
  podName = "wallet-0",
  namespace = "payments",
): Record<string, string> {
  const fields = new Map([
    ["status.podIP", podIp],
    ["metadata.name", podName],
    ["metadata.namespace", namespace],
  ]);
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of sidecar.env) {
    env[name] =
      fields.get(valueFrom?.fieldRef?.fieldPath) ??
      String(value).replaceAll(/\$\((\w+)\)/g, (text, other: string) => env[other] ?? text);
  }
  return env;
}
