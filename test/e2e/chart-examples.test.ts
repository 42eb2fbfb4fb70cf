import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { examineConfig } from "../../src/config/load.ts";
import { makeExamples } from "../../tools/chart-examples.ts";
import {
  asKubernetesReads,
  deploymentOf,
  environmentOf,
  hasKubeTools,
  type KubeObject,
  podOf,
  readObjects,
  renderChart,
  renderDependent,
  sidecarOf,
} from "../support/render-chart.ts";

const folder = fileURLToPath(new URL("../../docs/examples", import.meta.url));

describe.skipIf(!hasKubeTools)("a chart that has ours as a dependency", () => {
  it("gives the pods of another chart the same sidecar, in one line", () => {
    const objects = renderDependent("own-chart");
    expect(objects.map(({ kind }) => kind)).toEqual(["Deployment"]);
    const { containers: _own, ...pod } = podOf(objects);
    const {
      containers: _app,
      serviceAccountName: _name,
      ...expected
    } = podOf(renderChart({ app: { shutdownSeconds: 20 } }));
    expect(pod).toEqual(expected);
  });

  it("mounts the service account's token and the sealing key into the sidecar alone", () => {
    const store = { kind: "kubernetes", sealingKey: { secretName: "presto-key" } };
    const pod = podOf(renderDependent("own-chart", { "presto-sidecar": { store } }));
    const mountsOf = ({ volumeMounts = [] }: KubeObject) => volumeMounts.map(({ name }: KubeObject) => name);
    const [sidecar, ...others] = [...pod.initContainers, ...pod.containers];
    expect(mountsOf(sidecar)).toEqual(expect.arrayContaining(["presto-sidecar-api", "presto-sidecar-key"]));
    expect(others.flatMap(mountsOf)).toEqual([]);
    expect(pod.automountServiceAccountToken).toBe(false);
  });
});

describe("the manifests without Helm", () => {
  const objects = readObjects(readFileSync(`${folder}/deployment.yaml`, "utf8"));

  it("have an environment that the sidecar starts with", () => {
    expect(examineConfig(environmentOf(sidecarOf(objects), "10.1.2.3"), []).problems).toEqual([]);
  });

  it.skipIf(!hasKubeTools)(
    "are what the chart renders (node tools/chart-examples.ts writes them anew)",
    () => {
      for (const [file, text] of makeExamples())
        expect([file, readFileSync(`${folder}/${file}`, "utf8")]).toEqual([file, text]);
    },
  );

  it.skipIf(!hasKubeTools)("have no field that Kubernetes does not know", () => {
    const deployment = deploymentOf(objects);
    expect(asKubernetesReads(deployment)).toMatchObject(deployment);
  });
});
