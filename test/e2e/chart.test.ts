import { readFileSync } from "node:fs";

import { beforeAll, describe, expect, it } from "vitest";

import { examineConfig } from "../../src/config/load.ts";
import { variableNames } from "../../src/config/variables.ts";
import {
  asKubernetesReads,
  chartFolder,
  deploymentOf,
  environmentOf,
  hasKubeTools,
  notesOf,
  podOf,
  renderChart,
  sidecarOf,
  type KubeObject,
} from "../support/render-chart.ts";

const valueSets = ["minimal-values.yaml", "full-values.yaml"];

describe.skipIf(!hasKubeTools)("the chart", () => {
  let fixed: KubeObject[];
  beforeAll(() => {
    fixed = renderChart();
  });

  describe.each(valueSets)("with %s", (values) => {
    let objects: KubeObject[];
    let pod: KubeObject;
    let sidecar: KubeObject;
    beforeAll(() => {
      objects = renderChart(values);
      pod = podOf(objects);
      sidecar = sidecarOf(objects);
    });

    it("runs the sidecar as a native one, before and beyond the app's life", () => {
      expect(pod.initContainers).toHaveLength(1);
      expect(sidecar).toMatchObject({ name: "presto-sidecar", restartPolicy: "Always", args: ["start"] });
    });

    it("has no preStop, which would run while the app still calls", () => {
      expect(sidecar).not.toHaveProperty("lifecycle");
      expect(pod.containers[0]).not.toHaveProperty("lifecycle");
    });

    it("probes by HTTP on the admin port at the pod's own address", () => {
      const ports = [{ name: "presto-admin", containerPort: expect.any(Number) }];
      expect(sidecar.ports).toEqual(ports);
      for (const [probe, path] of [
        ["startupProbe", "/startupz"],
        ["readinessProbe", "/readyz"],
        ["livenessProbe", "/livez"],
      ] as const) {
        expect(sidecar[probe].httpGet).toEqual({ path, port: "presto-admin" });
        expect(
          Object.keys(sidecar[probe])
            .filter((key) => key !== "httpGet")
            .toSorted(),
        ).toEqual(["failureThreshold", "periodSeconds", "timeoutSeconds"]);
      }
    });

    it("mounts the token as a read-only folder into the sidecar alone", () => {
      const { secret, name } = pod.volumes.find((volume: KubeObject) => volume.secret !== undefined);
      const mount = sidecar.volumeMounts.find((candidate: KubeObject) => candidate.name === name);
      expect(mount).toEqual({ name, mountPath: "/var/run/presto-sidecar/token", readOnly: true });
      expect(secret.items).toEqual([{ key: expect.any(String), path: "token" }]);
      expect(secret.defaultMode & 0o022).toBe(0);
      expect(secret.defaultMode & 0o007).toBe(0);
      expect(sidecar.env).toContainEqual({ name: "PRESTO_TOKEN_FILE", value: `${mount.mountPath}/token` });
      expect(JSON.stringify(pod.containers)).not.toMatch(/secret|presto-sidecar-token|volumeMounts/i);
      expect(JSON.stringify(sidecar.env)).not.toMatch(/secretKeyRef|PRESTO_TOKEN"|PRESTO_STORE_KEY/);
    });

    it("meets the restricted Pod Security Standard in every container", () => {
      expect(pod.securityContext).toEqual({
        runAsNonRoot: true,
        fsGroup: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const container of [...pod.initContainers, ...pod.containers]) {
        expect(container.securityContext).toMatchObject({
          runAsNonRoot: true,
          runAsUser: expect.any(Number),
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          seccompProfile: { type: "RuntimeDefault" },
        });
        expect(container.securityContext).not.toHaveProperty("privileged");
        expect(container.securityContext.capabilities).not.toHaveProperty("add");
      }
      expect(sidecar.securityContext).toMatchObject({ runAsUser: 65532, runAsGroup: 65532 });
      for (const key of ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
        expect(pod).not.toHaveProperty(key);
      expect(pod.volumes.flatMap(Object.keys)).not.toContain("hostPath");
    });

    it("gives the pod no token of the cluster's and no variables of its Services", () => {
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.enableServiceLinks).toBe(false);
      const account = objects.find(({ kind }) => kind === "ServiceAccount");
      expect(account.automountServiceAccountToken).toBe(false);
      expect(pod.serviceAccountName).toBe(account.metadata.name);
    });

    it("limits the sidecar's memory, and not its CPU", () => {
      expect(sidecar.resources.requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
      expect(sidecar.resources.limits).toEqual({ memory: expect.any(String) });
    });

    it("renders an environment that the sidecar starts with", () => {
      const ip = values === "full-values.yaml" ? "fd00::12" : "10.1.2.3";
      const examined = examineConfig(environmentOf(sidecar, ip), []);
      expect(examined.problems).toEqual([]);
      expect(examined.config?.controlListen).toBeUndefined();
      expect(examined.config?.adminListen).toMatchObject({
        host: ip,
        port: sidecar.ports[0].containerPort,
      });
      expect(examined.config?.listen).toMatchObject([{ host: "127.0.0.1" }]);
    });

    it("tells the app where the sidecar listens", () => {
      const listen = sidecar.env.find(({ name }: KubeObject) => name === "PRESTO_LISTEN").value;
      expect(pod.containers[0].env).toContainEqual({ name: "WALLET_API_URL", value: `http://${listen}` });
    });

    it("has no field that Kubernetes does not know", () => {
      const deployment = deploymentOf(objects);
      expect(asKubernetesReads(deployment)).toMatchObject(deployment);
    });
  });

  it("knows each variable: sets it, takes it under env, or refuses it on purpose", () => {
    const schema = JSON.parse(readFileSync(`${chartFolder}/values.schema.json`, "utf8"));
    const taken = Object.keys(schema.properties.env.properties).filter((name) =>
      /^(PRESTO|OTEL)_/.test(name),
    );
    const full = new Set<string>(
      sidecarOf(renderChart("full-values.yaml")).env.map(({ name }: KubeObject) => name),
    );
    const set = [...full].filter((name) => name.startsWith("PRESTO_") && !taken.includes(name));
    const issuing = variableNames.filter((name) =>
      /^PRESTO_(EMAIL|PASSWORD|CREDENTIALS|RENEW|TOKEN_NAME|TOKEN_DAYS|PROBE_EVERY)/.test(name),
    );
    const servers = variableNames.filter((name) => /^(KUBECONFIG$|VAULT_|PRESTO_VAULT_)/.test(name));
    const locks = variableNames.filter((name) => /^(POD_|PRESTO_LOCK$)/.test(name));
    const refused = [
      ...servers, // stores of a server's: the token comes from the Secret
      ...locks, // a proxy takes none
      "PRESTO_UNSAFE_LISTEN_ANYWHERE", // the app is in the same pod: nobody else has to reach it
      "PRESTO_ROLE", // the chart's pods are proxies
      "PRESTO_STORE", // the token comes from the Secret
      "PRESTO_STORE_KEY",
      "PRESTO_STORE_KEY_FILE",
      "PRESTO_TOKEN", // a secret is never a plain value
      "OTEL_EXPORTER_OTLP_HEADERS", // it may hold one
      "PRESTO_EGRESS_ADDRESS", // a pod's address is not known beforehand
      "PRESTO_EGRESS_PROXY_FILE", // no place in the pod to mount it
      ...issuing, // for the same reason
    ];
    expect([...set, ...taken, ...refused].toSorted()).toEqual([...variableNames].toSorted());
    expect(taken.filter((name) => !full.has(name))).toEqual([]);
  });

  it("puts CA certificates beside the public ones only where a ConfigMap is named", () => {
    expect(JSON.stringify(fixed)).not.toContain("PRESTO_CA_FILE");
    const pod = podOf(renderChart({ ca: { configMapName: "company-ca" } }));
    expect(pod.initContainers[0].env).toContainEqual({
      name: "PRESTO_CA_FILE",
      value: "/var/run/presto-sidecar/ca/ca.crt",
    });
    expect(pod.volumes.at(-1).configMap).toEqual({
      name: "company-ca",
      items: [{ key: "ca.crt", path: "ca.crt" }],
    });
  });

  describe("the record", () => {
    const mountPath = "/var/lib/presto-sidecar/audit";

    it("is kept in files only where a volume is named, and that is mounted into the sidecar alone", () => {
      expect(JSON.stringify(fixed)).not.toMatch(/PRESTO_AUDIT|presto-sidecar-audit|POD_NAME/);
      for (const [audit, volume] of [
        [{ volume: "emptyDir" }, { emptyDir: {} }],
        [{ volume: "emptyDir", sizeLimit: "2Gi" }, { emptyDir: { sizeLimit: "2Gi" } }],
        [{ volume: "claim", claimName: "records" }, { persistentVolumeClaim: { claimName: "records" } }],
      ] as const) {
        const objects = renderChart({ audit });
        const deployment = deploymentOf(objects);
        const pod = podOf(objects);
        const sidecar = sidecarOf(objects);
        expect(pod.volumes.at(-1)).toEqual({ name: "presto-sidecar-audit", ...volume });
        expect(sidecar.volumeMounts.at(-1)).toEqual({ name: "presto-sidecar-audit", mountPath });
        expect(JSON.stringify(pod.containers)).not.toContain("audit");
        expect(asKubernetesReads(deployment)).toMatchObject(deployment);
      }
    });

    it("has a file of its own for each pod, and says which pod it is of", () => {
      const sidecar = sidecarOf(renderChart({ audit: { volume: "emptyDir" } }));
      const fieldOf = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
      expect(sidecar.env).toContainEqual({ name: "POD_NAME", ...fieldOf("metadata.name") });
      expect(sidecar.env).toContainEqual({ name: "POD_NAMESPACE", ...fieldOf("metadata.namespace") });
      const names: string[] = sidecar.env.map(({ name }: KubeObject) => name);
      // kubelet puts in what stands further up alone.
      expect(names.indexOf("POD_NAME")).toBeLessThan(names.indexOf("PRESTO_AUDIT"));
      expect(sidecar.env).toContainEqual({
        name: "PRESTO_AUDIT",
        value: `file:${mountPath}/$(POD_NAME).jsonl`,
      });
      const { config } = examineConfig(environmentOf(sidecar, "10.1.2.3"), []);
      expect(config?.audit?.place).toMatchObject({ kind: "file", mode: 0o600 });
    });

    it("says of which pod it is on standard output, too", () => {
      const names = sidecarOf(renderChart({ env: { PRESTO_AUDIT: "stdout" } })).env.map(
        ({ name }: KubeObject) => name,
      );
      expect(names).toEqual(expect.arrayContaining(["POD_NAME", "POD_NAMESPACE", "PRESTO_AUDIT"]));
    });
  });

  it("has a network policy only when asked, and then calls out on port 443 alone", () => {
    expect(fixed.map(({ kind }) => kind)).not.toContain("NetworkPolicy");
    const policy = renderChart({ networkPolicy: { enabled: true } }).find(
      ({ kind }) => kind === "NetworkPolicy",
    );
    expect(policy.spec.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(policy.spec.ingress ?? []).toEqual([]);
    expect(policy.spec.egress.flatMap(({ ports }: KubeObject) => ports)).toEqual([
      { port: 53, protocol: "UDP" },
      { port: 53, protocol: "TCP" },
      { port: 443, protocol: "TCP" },
    ]);
    expect(policy.spec.podSelector.matchLabels).toEqual(deploymentOf(fixed).spec.selector.matchLabels);
  });

  it("warns whoever installs it with the placeholder for the origin", () => {
    expect(notesOf({})).toContain("https://presto.invalid");
    expect(notesOf({ url: "https://presto.example" })).not.toContain("presto.invalid");
  });

  it("renders nothing of its own where another chart only includes its templates", () => {
    expect(renderChart({ app: { enabled: false }, networkPolicy: { enabled: true } })).toEqual([]);
  });
});
