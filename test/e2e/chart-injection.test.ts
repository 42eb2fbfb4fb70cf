import { describe, expect, it } from "vitest";

import { hasKubeTools, refusalOf, renderChart } from "../support/render-chart.ts";

// What test/cluster/injection*.test.ts can't ask: they have one API server, which takes the policies.

describe.skipIf(!hasKubeTools)("injection by the chart", () => {
  const policies = (injection: object) =>
    renderChart({ injection }).filter(({ kind }) => /AdmissionPolicy/.test(kind));

  it("is off unless asked for", () => {
    expect(policies({})).toEqual([]);
    expect(policies({ enabled: true })).toHaveLength(8);
  });

  it("names the namespaces in every policy, so that no other is reached by one that fails", () => {
    for (const { kind, spec } of policies({ enabled: true, namespaceLabel: "second-bank" })) {
      const named = spec.matchConstraints?.namespaceSelector;
      if (kind.endsWith("Policy"))
        expect(named).toEqual({ matchLabels: { "presto-sidecar/inject": "second-bank" } });
      else expect(spec.policyName).toMatch(/^example-presto-sidecar-injection/);
    }
  });

  it.each<[object, readonly string[], RegExp | ""]>([
    [{ injection: { enabled: true, urlVariable: "PRESTO_API" } }, [], /urlVariable begins with PRESTO_/],
    [{ injection: { enabled: true, urlVariable: "A-B" } }, [], /injection\.urlVariable has not the form/],
    [{ injection: { enabled: true, namespaceLabel: "-" } }, [], /injection\.namespaceLabel has not the form/],
    [{ injection: { enable: true } }, [], /injection.*enable/],
    [{ injection: { enabled: true, apiAudiences: "all" } }, [], /apiAudiences.*array/],
    [
      { injection: { enabled: true }, resources: { requests: { cpu: null } } },
      [],
      /resources\.requests has not both cpu and memory/,
    ],
    [
      { injection: { enabled: true } },
      ["apiregistration.k8s.io/v1/APIService"],
      /injection\.enabled needs Kubernetes 1\.36 or newer, and this cluster \(v[\d.]+\) does not serve/,
    ],
    [
      { injection: { enabled: true } },
      ["apiregistration.k8s.io/v1/APIService", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"],
      "",
    ],
    [{ injection: { enabled: false } }, ["apiregistration.k8s.io/v1/APIService"], ""],
  ])("with %j and a cluster that serves %j", (values, served, says) => {
    const refusal = refusalOf({ url: "https://presto.example", ...values }, "helm", served);
    if (says === "") expect(refusal).toBe("");
    else expect(refusal.replaceAll(/\s+/g, " ")).toMatch(says);
  });
});
