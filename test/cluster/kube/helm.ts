import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chartFolder } from "../../support/render-chart.ts";
import type { KubeServer } from "./server.ts";

const script = fileURLToPath(new URL("../../../tools/ci/kube-tools.sh", import.meta.url));

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface KubeTools {
  helm(args: readonly string[], stdin?: string): Promise<Ended>;
  /** The version before it. */
  helm3(args: readonly string[], stdin?: string): Promise<Ended>;
  kubectl(args: readonly string[], stdin?: string): Promise<Ended>;
}

/** Helm and kubectl, fetched where they are not there yet, as the administrator of a cluster. */
export function kubeTools(kube: KubeServer): KubeTools {
  const folder = execFileSync(script, { encoding: "utf8" }).trim();
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: kube.folder,
    KUBECONFIG: kube.kubeconfig,
  };
  const run = (program: string) => (args: readonly string[], stdin?: string) =>
    new Promise<Ended>((resolve) => {
      const child = execFile(
        join(folder, program),
        args,
        { env, maxBuffer: 64 * 1024 * 1024 },
        (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
      );
      child.stdin?.end(stdin ?? "");
    });
  return { helm: run("helm"), helm3: run("helm3"), kubectl: run("kubectl") };
}

/** Arguments that give Helm a set of values under the chart's ci/. */
export const valuesOf = (file: string): string[] => ["--values", join(chartFolder, "ci", file)];

/** A release of that name in a namespace of that name, unless another is given: done when Helm has found all of it there. */
export async function install(
  { helm }: Pick<KubeTools, "helm">,
  release: string,
  given: readonly string[],
  verb: "install" | "upgrade" = "install",
): Promise<void> {
  const where = [release, chartFolder, `--namespace=${release}`];
  const { code, err } = await helm([verb, ...where, "--wait", "--timeout=60s", ...given]);
  const said = err.replaceAll(/^.*(warning|level=WARN).*$/gim, "").trim();
  if (code !== 0 || said !== "") throw new Error(`helm ${verb} ${release} ended with ${code}: ${said}`);
}
