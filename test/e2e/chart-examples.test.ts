import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { examineConfig } from "../../src/config/load.ts";
import {
  asKubernetesReads,
  deploymentOf,
  environmentOf,
  hasKubeTools,
  podOf,
  readObjects,
  renderChart,
  renderDependent,
  sidecarOf,
} from "../support/render-chart.ts";

const manifest = fileURLToPath(new URL("../../docs/examples/deployment.yaml", import.meta.url));

describe.skipIf(!hasKubeTools)("a chart that has ours as a dependency", () => {
  it("gives the pods of another chart the same sidecar", () => {
    const objects = renderDependent("own-chart");
    expect(objects.map(({ kind }) => kind)).toEqual(["Deployment"]);
    const { containers: _own, ...pod } = podOf(objects);
    const {
      containers: _app,
      serviceAccountName: _name,
      ...expected
    } = podOf(renderChart({ url: "https://presto.example", app: { shutdownSeconds: 20 } }));
    expect(pod).toEqual(expected);
  });
});

describe("the manifest without Helm", () => {
  const objects = readObjects(readFileSync(manifest, "utf8"));

  it("has an environment that the sidecar starts with", () => {
    expect(examineConfig(environmentOf(sidecarOf(objects), "10.1.2.3"), []).problems).toEqual([]);
  });

  it.skipIf(!hasKubeTools)("has the pod that the chart renders, but for the names", () => {
    const { serviceAccountName, ...pod } = podOf(objects);
    const { serviceAccountName: _other, ...rendered } = podOf(renderChart("minimal-values.yaml"));
    expect(pod).toEqual(rendered);
    const account = objects.find(({ kind }) => kind === "ServiceAccount");
    expect(account.metadata.name).toBe(serviceAccountName);
    expect(account.automountServiceAccountToken).toBe(false);
  });

  it.skipIf(!hasKubeTools)("has no field that Kubernetes does not know", () => {
    const deployment = deploymentOf(objects);
    expect(asKubernetesReads(deployment)).toMatchObject(deployment);
  });
});
