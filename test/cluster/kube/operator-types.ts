import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { type KubeObject, readObjects } from "../../support/render-chart.ts";
import { until } from "../../support/until.ts";
import { alone, cacheFolder } from "../cache.ts";
import type { KubeServer } from "./server.ts";

const run = promisify(execFile);

/** A Go module of its own, so that another version of the operator's does not have the servers built anew. */
const pinned = join(import.meta.dirname, "..", "prometheus-operator");
const api = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring";
const names = ["podmonitors", "prometheusrules"].map((name) => `monitoring.coreos.com_${name}.yaml`);

/**
 * The definitions of PodMonitor and PrometheusRule, made once of the operator's own Go types by the tool and the flags
 * that it makes its own with, and kept outside of the checkout. Takes some 40 s of processor time.
 * @returns the folder with the files
 */
export async function fetchOperatorTypes(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(await readFile(join(pinned, file)));
  const folder = join(cacheFolder(), `prometheus-operator-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(folder)) await alone("prometheus-operator", () => makeIn(folder));
  return folder;
}

async function makeIn(folder: string): Promise<void> {
  // Another may have made them meanwhile.
  if (existsSync(folder)) return;
  const work = await mkdtemp(join(cacheFolder(), ".operator-"));
  try {
    const env = {
      ...process.env,
      CGO_ENABLED: "0",
      GOCACHE: join(work, "cache"),
      GOFLAGS: "-buildvcs=false",
    };
    const generator = join(work, "controller-gen");
    const go = async (...args: string[]) => (await run("go", args, { cwd: pinned, env })).stdout.trim();
    await go("build", "-o", generator, "sigs.k8s.io/controller-tools/cmd/controller-gen");
    // It looks at packages of the module that it is run in, and no other.
    const source = join(work, "source");
    const kept = await go("list", "-m", "-f", "{{.Dir}}", api);
    // Go keeps it read-only.
    await run("cp", ["-r", "--no-preserve=mode", kept, source]);
    const made = join(work, "made");
    await run(generator, ["crd:crdVersions=v1", "paths=./v1/.", `output:crd:dir=${made}`], {
      cwd: source,
      env,
    });
    // Into their place at once: what was cut off must not be taken for whole.
    const unfinished = join(work, "types");
    await mkdir(unfinished);
    for (const name of names) await copyFile(join(made, name), join(unfinished, name));
    await rename(unfinished, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Has the API server know PodMonitor and PrometheusRule, and waits until it serves them. */
export async function applyOperatorTypes(kube: KubeServer): Promise<void> {
  const folder = await fetchOperatorTypes();
  const collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  for (const name of names) {
    const [definition] = readObjects(await readFile(join(folder, name), "utf8"));
    const { status, json } = await kube.admin("POST", `${collection}?fieldValidation=Strict`, definition);
    if (status !== 201) throw new Error(`${name}: ${status} ${JSON.stringify(json)}`);
    const { metadata }: KubeObject = definition;
    const isServed = async (): Promise<true | undefined> => {
      const read: KubeObject = (await kube.admin("GET", `${collection}/${metadata.name}`)).json;
      const conditions: readonly KubeObject[] = read.status?.conditions ?? [];
      return conditions.some(({ type, status: is }) => type === "Established" && is === "True")
        ? true
        : undefined;
    };
    await until(isServed, { withinMs: 30_000, everyMs: 50, what: `${metadata.name} is served` });
  }
}
