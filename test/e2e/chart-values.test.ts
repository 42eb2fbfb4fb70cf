import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";
import { parse } from "yaml";

import {
  chartFolder,
  hasHelm3,
  hasKubeTools,
  podOf,
  refusalOf,
  refusalOfReused,
  releasedCharts,
  renderChart,
  renderDependent,
  valueSets,
} from "../support/render-chart.ts";

/** A Vault, and a login there. */
const vaultWith = (auth: object) => ({
  kind: "vault",
  vault: { address: "https://vault:8200", entry: "a/b", auth },
});
const appRole = { method: "approle", roleId: "one", secretId: { secretName: "one" } };
const rotating = { enabled: true, credentials: { entry: "a/c" } };

const appRoles: [object, RegExp][] = [
  [{ store: vaultWith({ method: "jwt" }) }, /method.*kubernetes.*approle/],
  [{ store: vaultWith({ method: "approle" }) }, /the sidecars' role id in store\.vault\.auth\.roleId/],
  [
    { store: vaultWith({ ...appRole, secretId: {} }) },
    /their secret id in store\.vault\.auth\.secretId\.secretName/,
  ],
  [{ store: vaultWith({ ...appRole, audience: "vault" }) }, /audience is of .*method: kubernetes/],
  [{ store: vaultWith({ ...appRole, method: "kubernetes" }) }, /set store\.vault\.auth\.method to approle/],
  [{ store: vaultWith({ ...appRole, secretId: { value: "abc" } }) }, /value/],
  [{ store: vaultWith(appRole), rotator: rotating }, /the rotators' role id in rotator\.vaultRoleId/],
  ...[
    { vaultRoleId: "one", vaultSecretId: { secretName: "two" } },
    { vaultRoleId: "two", vaultSecretId: { secretName: "one" } },
  ].map((same): [object, RegExp] => [
    { store: vaultWith(appRole), rotator: { ...rotating, ...same } },
    /Give the rotators a role and a secret id of their own/,
  ]),
];

describe.skipIf(!hasKubeTools)("the chart's values", () => {
  it.each([
    [{}, 60],
    [{ env: { PRESTO_DRAIN_MAX: "90s" } }, 125],
    [{ env: { PRESTO_DRAIN_MAX: "1ms" } }, 36],
    [{ env: { PRESTO_DRAIN_MAX: "2m" }, app: { shutdownSeconds: 0 } }, 125],
    [{ terminationGracePeriodSeconds: 26 }, 26],
    [{ terminationGracePeriodSeconds: 0 }, 60],
    [{ terminationGracePeriodSeconds: 3601, env: { PRESTO_DRAIN_MAX: "1h" } }, 3601],
  ])("with %j gives the pod %d s to end", (values, seconds) => {
    expect(podOf(renderChart(values)).terminationGracePeriodSeconds).toBe(seconds);
  });

  it("need no null: none of the defaults is one, and all of them may be given as they stand", () => {
    const text = readFileSync(join(chartFolder, "values.yaml"), "utf8");
    const { url: _none, ...defaults } = parse(text);
    expect(JSON.stringify(defaults)).not.toMatch(/\bnull\b/);
    expect(renderChart(defaults)).toEqual(renderChart());
  });

  // What Helm says has the name in it, and never what was written there.
  it.each<[object, RegExp]>([
    [{ url: undefined }, /url is not set, and there is no default: name the origin of your Presto API/],
    [{ url: "" }, /url is not set/],
    [{ url: "http://presto.example" }, /url has not the form that it needs: write https, a host/],
    [{ url: "https://presto.example/api" }, /url has not the form/],
    [{ url: "https://presto.example:8443" }, /url has not the form/],
    [{ url: "https://user:pass@presto.example" }, /url has not the form/],
    [{ terminationGracePeriodSeconds: 25 }, /PRESTO_DRAIN_MAX alone takes up to 25 s/],
    [{ terminationGracePeriodSeconds: 60, env: { PRESTO_DRAIN_MAX: "59001ms" } }, /takes up to 60 s/],
    [{ terminationGracePeriodSeconds: -1 }, /terminationGracePeriodSeconds/],
    [{ env: { PRESTO_DRAIN_MIN: "26s" } }, /PRESTO_DRAIN_MIN is longer/],
    [
      { env: { PRESTO_DRAIN_MAX: "25" } },
      /env\.PRESTO_DRAIN_MAX .*write a whole number and a unit, as in 25s/,
    ],
    [{ env: { PRESTO_TIMEOUT: 20 } }, /PRESTO_TIMEOUT.*string/],
    [{ env: { PRESTO_TIMEOT: "20s" } }, /PRESTO_TIMEOT/],
    [{ env: { PRESTO_TOKEN: "abc" } }, /PRESTO_TOKEN/],
    [{ env: { PRESTO_CONTROL_LISTEN: "127.0.0.1:7382" } }, /PRESTO_CONTROL_LISTEN/],
    [{ env: { PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes" } }, /PRESTO_UNSAFE_LISTEN_ANYWHERE/],
    [{ env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } }, /NODE_TLS_REJECT_UNAUTHORIZED/],
    [
      { env: { PRESTO_EGRESS_PROXY: "http://user:pass@gateway.example:3128" } },
      /env\.PRESTO_EGRESS_PROXY .*a secret is never a plain value/,
    ],
    [
      { env: { PRESTO_EGRESS_PROXY: "http://gateway.example:3128" }, egressProxy: { secretName: "way-out" } },
      /there is one way out/,
    ],
    [{ store: { kind: "env" } }, /kind.*mounted.*kubernetes.*vault/],
    [{ store: { mounted: { secretName: "" } } }, /secretName/],
    [{ store: { mounted: { secretName: "Presto" } } }, /store\.mounted\.secretName .*lower case/],
    [{ store: { mounted: { value: "abc" } } }, /value/],
    [{ store: { sealingKey: { secretName: "store-key" } } }, /a token that is fed by hand is not sealed/],
    [{ rotator: { enabled: true } }, /a Secret that is mounted can't be written/],
    [{ store: { kind: "vault" } }, /name the Vault in store\.vault\.address/],
    [
      { store: { kind: "vault", vault: { address: "http://vault:8200", entry: "a/b" } } },
      /store\.vault\.address .*write https/,
    ],
    [
      {
        store: { kind: "vault", vault: { address: "https://vault:8200", entry: "a/b" } },
        rotator: { enabled: true },
      },
      /name the account's entry/,
    ],
    [
      {
        store: { kind: "vault", vault: { address: "https://vault:8200", entry: "a/b" } },
        rotator: { enabled: true, credentials: { entry: "a/b" } },
      },
      /could read the account's password/,
    ],
    ...appRoles,
    [
      { store: { kind: "kubernetes" }, rotator: { credentials: { secretName: "presto-token" } } },
      /could read the account's password/,
    ],
    [
      { store: { kind: "kubernetes" }, rotator: { lease: "presto-token" } },
      /rotator\.lease is of store\.kind: vault/,
    ],
    [{ store: { kind: "kubernetes" }, rotator: { createSecrets: true } }, /there is no Secret to make/],
    [{ rotator: { env: { PRESTO_RENEW: "never" } } }, /PRESTO_RENEW.*auto.*manual/],
    [{ rotator: { env: { PRESTO_RENEW_WINDOW: "1-4" } } }, /PRESTO_RENEW_WINDOW .*as in 01:00-04:00/],
    [{ env: { PRESTO_RENEW: "manual" } }, /PRESTO_RENEW/],
    [{ image: { tag: "latest" } }, /tag/],
    [{ image: { digest: "sha256:abc" } }, /image\.digest .*64 lower-case/],
    [{ image: { repository: "" } }, /repository/],
    [{ platform: "windows" }, /platform.*kubernetes.*openshift/],
    [{ mesh: "consul" }, /mesh.*istio.*linkerd/],
    [{ admin: { port: 80 } }, /port/],
    [{ port: 7381 }, /port and admin\.port are both 7381/],
    [{ app: { port: 7380 } }, /app\.port is 7380/],
    [{ app: { runAsUser: 0 } }, /runAsUser/],
    [{ app: { runAsUser: 65532 } }, /app\.runAsUser is 65532, the sidecar's own user/],
    [{ app: { env: { PRESTO_TOKEN: "abc" } } }, /PRESTO_TOKEN/],
    [{ podSecurityContext: {} }, /podSecurityContext/],
    [{ env: { PRESTO_AUDIT: "file:/record.jsonl" } }, /env\.PRESTO_AUDIT .*a record in files needs a volume/],
    [
      { audit: { volume: "emptyDir" }, env: { PRESTO_AUDIT: "stdout" } },
      /audit\.volume and env\.PRESTO_AUDIT/,
    ],
    [{ audit: { volume: "claim" } }, /claimName/],
    [{ audit: { volume: "emptyDir", claimName: "records" } }, /claimName/],
    [{ audit: { volume: "claim", claimName: "records", sizeLimit: "1Gi" } }, /sizeLimit/],
    [{ audit: { volume: "hostPath" } }, /volume/],
    [
      { networkPolicy: { enabled: true }, egressProxy: { secretName: "way-out" } },
      /networkPolicy\.egressProxyPort is not set/,
    ],
    [
      { networkPolicy: { enabled: true, injected: [{ namespace: "payments" }] } },
      /networkPolicy\.injected is of networkPolicy\.enabled with injection\.enabled/,
    ],
    [
      {
        injection: { enabled: true },
        networkPolicy: { enabled: true, injected: [{ namespace: "one" }, { namespace: "one" }] },
      },
      /networkPolicy\.injected names a namespace twice/,
    ],
    [{ networkPolicy: { injected: [{ name: "payments" }] } }, /injected.*namespace/s],
    [{ otlpHeaders: { secretName: "collector" } }, /otlpHeaders\.secretName is set, and no collector/],
    // As --reuse-values takes them from an earlier chart.
    [{ store: null }, /The value store is missing: .*Use --reset-then-reuse-values/],
  ])("refuses %j and names it", (values, named) => {
    const said = refusalOf(values);
    expect(said).toMatch(named);
    expect(said).not.toMatch(/user:pass|abc"/);
  });
});

describe.skipIf(!hasKubeTools)("an upgrade with --reuse-values from a released chart", () => {
  it("is known of each release, by its defaults", () => {
    const changelog = readFileSync(join(chartFolder, "../../CHANGELOG.md"), "utf8");
    const versions = [...changelog.matchAll(/^## (\d\S+) /gm)].map(([, version = ""]) => version);
    expect(releasedCharts).toEqual(versions.toSorted());
  });

  it.each(releasedCharts)("%s goes through, or says which value is missing, and what to give", (version) => {
    const fleet = { store: { kind: "kubernetes" }, rotator: { enabled: true }, injection: { enabled: true } };
    for (const values of [{}, { ...fleet, networkPolicy: { enabled: true } }])
      expect(refusalOfReused(version, values)).toMatch(
        /^$|The value \w+ is missing: .* Use --reset-then-reuse-values/,
      );
  });
});

describe.skipIf(!hasKubeTools || !hasHelm3)("Helm 3", () => {
  it.each(valueSets)("renders %s as Helm 4 does", (values) => {
    expect(renderChart(values, "helm3")).toEqual(renderChart(values));
  });

  it.each<[object, RegExp]>([
    [{ url: undefined }, /url is not set, and there is no default/],
    [{ env: { PRESTO_TIMEOT: "20s" } }, /PRESTO_TIMEOT/],
    [{ env: { PRESTO_TIMEOUT: "20" } }, /write a whole number above 0 and a unit, as in/],
  ])("refuses %j, too", (values, named) => {
    expect(refusalOf(values, "helm3")).toMatch(named);
  });
});

describe.skipIf(!hasKubeTools)("a chart that has ours as a dependency", () => {
  it("switches it off by its condition, and hands down what is global", () => {
    const values = { global: { team: "payments" }, "presto-sidecar": { enabled: true } };
    expect(podOf(renderDependent("own-chart", values)).initContainers).toHaveLength(1);
    const without = renderDependent("own-chart", { "presto-sidecar": { enabled: false } });
    expect(podOf(without)).not.toHaveProperty("initContainers");
  });

  it("goes by an alias, under which its values stand", () => {
    const values = { way: { url: "https://other.example", app: { enabled: false } } };
    const [sidecar] = podOf(renderDependent("own-chart", values, "way")).initContainers;
    expect(sidecar.env).toContainEqual({ name: "PRESTO_URL", value: "https://other.example" });
  });
});
