import { readFileSync } from "node:fs";

import { beforeAll, describe, expect, it } from "vitest";

import { examineConfig } from "../../src/config/load.ts";
import { rowOf, variableNames } from "../../src/config/variables.ts";
import {
  asKubernetesReads,
  chartFolder,
  deploymentOf,
  environmentOf,
  hasKubeTools,
  type KubeObject,
  podOf,
  renderChart,
  sidecarOf,
  sidecarPods,
  valueSets,
} from "../support/render-chart.ts";

const controlFolder = "/var/run/presto-sidecar/control";

describe.skipIf(!hasKubeTools).each(valueSets)("each pod that the chart makes with %s", (values) => {
  let objects: KubeObject[];
  let pods: ReturnType<typeof sidecarPods>;
  beforeAll(() => {
    objects = renderChart(values);
    pods = sidecarPods(objects);
  });

  it("runs the sidecar before and beyond the app's life, as a native one, and a rotator alone", () => {
    expect(pods.length).toBeGreaterThan(0);
    for (const { pod, sidecar } of pods) {
      expect(sidecar.args).toEqual(["start"]);
      if (pod.initContainers === undefined) {
        expect(pod.containers).toEqual([sidecar]);
        expect(sidecar).not.toHaveProperty("restartPolicy");
      } else {
        expect(pod.initContainers).toEqual([sidecar]);
        expect(sidecar.restartPolicy).toBe("Always");
      }
    }
  });

  it("has no preStop, which would run while the app still calls", () => {
    for (const { pod } of pods)
      for (const container of [...(pod.initContainers ?? []), ...pod.containers])
        expect(container).not.toHaveProperty("lifecycle");
  });

  it("is probed by HTTP on the admin port at the pod's own address", () => {
    for (const { sidecar } of pods) {
      expect(sidecar.ports).toEqual([{ name: "presto-admin", containerPort: expect.any(Number) }]);
      for (const [probe, path] of [
        ["startupProbe", "/startupz"],
        ["readinessProbe", "/readyz"],
        ["livenessProbe", "/livez"],
      ] as const) {
        const { httpGet, ...times } = sidecar[probe];
        expect(httpGet).toEqual({ path, port: "presto-admin" });
        expect(Object.keys(times).toSorted()).toEqual([
          "failureThreshold",
          "periodSeconds",
          "timeoutSeconds",
        ]);
      }
    }
  });

  it("mounts what is secret, read-only and unwritable, into our container alone", () => {
    for (const { pod, sidecar } of pods) {
      const secret: KubeObject[] = pod.volumes.filter(
        (volume: KubeObject) => volume.secret !== undefined || volume.projected !== undefined,
      );
      for (const { name, ...volume } of secret) {
        // 0444: readable by any user of our container without an fsGroup, writable by nobody.
        expect((volume.secret ?? volume.projected).defaultMode).toBe(0o444);
        expect(sidecar.volumeMounts).toContainEqual({ name, mountPath: expect.any(String), readOnly: true });
      }
      const shared = JSON.stringify(pod.containers.filter((other: KubeObject) => other !== sidecar));
      for (const { name } of secret) expect(shared).not.toContain(name);
      expect(JSON.stringify(sidecar.env)).not.toMatch(/secretKeyRef|PRESTO_TOKEN"|PRESTO_STORE_KEY"/);
      expect(JSON.stringify(sidecar.volumeMounts)).not.toContain("subPath");
    }
  });

  it("says nothing of its own at the level of the pod", () => {
    for (const { pod, name } of pods) {
      const own = values === "full-values.yaml" && name === "wallet" ? { fsGroup: 2000 } : undefined;
      expect(pod.securityContext).toEqual(own);
      for (const key of ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
        expect(pod).not.toHaveProperty(key);
      expect(pod.volumes.flatMap(Object.keys)).not.toContain("hostPath");
    }
  });

  it("meets the restricted Pod Security Standard in every container", () => {
    for (const { pod } of pods) {
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(container.securityContext).toMatchObject({
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          seccompProfile: { type: "RuntimeDefault" },
        });
        expect(container.securityContext).not.toHaveProperty("privileged");
        expect(container.securityContext.capabilities).not.toHaveProperty("add");
        // Another user than the app's, or, where the namespace has its own, none of ours.
        const { runAsUser } = container.securityContext;
        if (values === "openshift-values.yaml")
          expect(container.securityContext).not.toHaveProperty("runAsUser");
        else if (container.name === "presto-sidecar") expect(runAsUser).toBe(65532);
        else expect([runAsUser > 0, runAsUser === 65532]).toEqual([true, false]);
      }
    }
  });

  it("is given no token of the cluster's by itself and no variables of its Services", () => {
    for (const { pod } of pods) {
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.enableServiceLinks).toBe(false);
      const account = objects.find(
        ({ kind, metadata }) => kind === "ServiceAccount" && metadata.name === pod.serviceAccountName,
      );
      expect(account.automountServiceAccountToken).toBe(false);
    }
  });

  it("asks for CPU and memory, limits the memory, and not the CPU", () => {
    for (const { sidecar } of pods) {
      expect(sidecar.resources.requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
      expect(sidecar.resources.limits).toEqual({ memory: expect.any(String) });
    }
  });

  it.each(["10.1.2.3", "fd00::12"])(
    "has an environment that our process starts with at %s, without a warning",
    (ip) => {
      for (const { sidecar } of pods) {
        const { problems, config } = examineConfig(environmentOf(sidecar, ip), []);
        expect(problems).toEqual([]);
        expect(config?.warnings.filter((line) => /set, but/.test(line))).toEqual([]);
        expect(config?.adminListen).toMatchObject({ host: ip, port: sidecar.ports[0].containerPort });
      }
    },
  );

  it("listens for the app on both loopbacks, and for people on a socket in a volume of its own", () => {
    for (const { pod, sidecar } of pods) {
      const { config } = examineConfig(environmentOf(sidecar, "10.1.2.3"), []);
      if (pod.initContainers !== undefined)
        expect(config?.listen).toMatchObject([{ host: "127.0.0.1" }, { host: "::1" }]);
      expect(config?.controlListen).toMatchObject({ kind: "unix", path: `${controlFolder}/control.sock` });
      const mount = sidecar.volumeMounts.find(({ mountPath }: KubeObject) => mountPath === controlFolder);
      expect(pod.volumes).toContainEqual({
        name: mount.name,
        emptyDir: { medium: "Memory", sizeLimit: "1Mi" },
      });
    }
  });

  it("leaves behind for kubelet what it says itself, and the end of its log where it says nothing", () => {
    for (const { sidecar } of pods) {
      expect(sidecar.terminationMessagePolicy).toBe("FallbackToLogsOnError");
      // That of our own message is kubelet's usual one.
      expect(sidecar).not.toHaveProperty("terminationMessagePath");
    }
  });

  it("has no field that Kubernetes does not know", () => {
    for (const deployment of objects.filter(({ kind }) => kind === "Deployment"))
      expect(asKubernetesReads(deployment)).toMatchObject(deployment);
  });
});

describe.skipIf(!hasKubeTools)("the chart", () => {
  it("knows each variable: sets it, takes it under env, or refuses it on purpose", () => {
    const schema = JSON.parse(readFileSync(`${chartFolder}/values.schema.json`, "utf8"));
    const ours = (env: object) => Object.keys(env).filter((name) => /^(PRESTO|OTEL)_/.test(name));
    const { env, rotator } = schema.properties;
    const taken = [...ours(env.properties), ...ours(rotator.properties.env.properties)];
    const rendered = new Set<string>(
      valueSets.flatMap((values) =>
        sidecarPods(renderChart(values)).flatMap(({ sidecar }) =>
          sidecar.env.map(({ name }: KubeObject) => name),
        ),
      ),
    );
    const set = [...rendered].filter(
      (name) => !taken.includes(name) && !/^(POD_IP|NO_COLOR|NODE_OPTIONS)$/.test(name),
    );
    const refused = [
      "PRESTO_UNSAFE_LISTEN_ANYWHERE", // the app is in the same pod: nobody else has to reach it
      "PRESTO_STORE_KEY", // a secret is never a plain value
      "PRESTO_TOKEN",
      "OTEL_EXPORTER_OTLP_HEADERS", // it may hold one
      "PRESTO_VAULT_SECRET_ID", // it is one
      // The account lies where `password reset` can write to, and the login is the service account's or an AppRole's.
      ...variableNames.filter((name) =>
        /^PRESTO_(EMAIL|PASSWORD)|^KUBECONFIG$|^VAULT_(SKIP|TOKEN)/.test(name),
      ),
    ];
    expect([...set, ...taken, ...refused].toSorted()).toEqual([...variableNames].toSorted());
    expect(taken.filter((name) => !rendered.has(name))).toEqual([]);
  });

  it("keeps from the rotators what means nothing to them", () => {
    const env = { PRESTO_TIMEOUT: "15s", PRESTO_MAX_QUEUE: "9", PRESTO_LOG_LEVEL: "warn" };
    const [app, rotator] = ["example-presto-sidecar", "example-presto-sidecar-rotator"].map((name) =>
      sidecarPods(renderChart({ store: { kind: "kubernetes" }, rotator: { enabled: true }, env }))
        .find((each) => each.name === name)
        ?.sidecar.env.map((entry: KubeObject) => entry.name),
    );
    expect(rowOf("PRESTO_MAX_QUEUE").onlyFor).toBe("serving");
    expect(app).toEqual(expect.arrayContaining(Object.keys(env)));
    expect(rotator).toEqual(expect.arrayContaining(["PRESTO_TIMEOUT", "PRESTO_LOG_LEVEL"]));
    expect(rotator).not.toContain("PRESTO_MAX_QUEUE");
  });

  it("puts CA certificates beside the public ones only where a ConfigMap is named", () => {
    expect(JSON.stringify(renderChart())).not.toContain("PRESTO_CA_FILE");
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

  it("takes the egress proxy's URL, password and all, out of a Secret", () => {
    const { volumes, initContainers } = podOf(renderChart({ egressProxy: { secretName: "way-out" } }));
    expect(volumes.at(-1).secret).toEqual({
      secretName: "way-out",
      defaultMode: 0o444,
      items: [{ key: "url", path: "url" }],
    });
    const { config } = examineConfig(environmentOf(initContainers[0], "10.1.2.3"), []);
    expect(config?.egress.proxy).toMatchObject({ path: "/var/run/presto-sidecar/egress-proxy/url" });
  });

  it("takes the collector's fields out of a Secret, for those that send spans", () => {
    const objects = renderChart({
      otlpHeaders: { secretName: "collector" },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" },
      store: { kind: "kubernetes" },
      rotator: { enabled: true },
    });
    const [app, rotator] = sidecarPods(objects);
    expect(app?.pod.volumes.at(-1)).toEqual({
      name: "presto-sidecar-otlp-headers",
      secret: { secretName: "collector", defaultMode: 0o444, items: [{ key: "headers", path: "headers" }] },
    });
    const { config } = examineConfig(environmentOf(app?.sidecar, "10.1.2.3"), []);
    expect(config?.traces?.headers).toMatchObject({
      kind: "file",
      path: "/var/run/presto-sidecar/otlp-headers/headers",
    });
    expect(JSON.stringify(rotator)).not.toMatch(/otlp|OTLP/);
  });

  describe("the record", () => {
    const mountPath = "/var/lib/presto-sidecar/audit";

    it("is kept in files only where a volume is named, and that is mounted into the sidecar alone", () => {
      expect(JSON.stringify(renderChart())).not.toMatch(/PRESTO_AUDIT|presto-sidecar-audit/);
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
  });

  it("gives the control socket to the app only where that is asked for, and then not to write over", () => {
    expect(podOf(renderChart()).containers[0]).not.toHaveProperty("volumeMounts");
    const { initContainers, containers } = podOf(
      renderChart({ control: { shareWithApp: true, group: 3000 }, app: { runAsUser: 1001 } }),
    );
    expect(containers[0].volumeMounts).toEqual([
      { name: "presto-sidecar-control", mountPath: controlFolder, readOnly: true },
    ]);
    expect(containers[0].securityContext).toMatchObject({ runAsUser: 1001, runAsGroup: 3000 });
    expect(initContainers[0].securityContext).toMatchObject({ runAsUser: 65532, runAsGroup: 3000 });
    const { config } = examineConfig(environmentOf(initContainers[0], "10.1.2.3"), []);
    expect(config?.controlListen).toMatchObject({ kind: "unix", mode: 0o660 });
  });

  it("never gives the rotators' control socket to anybody", () => {
    const values = {
      store: { kind: "kubernetes" },
      rotator: { enabled: true },
      control: { shareWithApp: true },
    };
    const rotator = sidecarPods(renderChart(values)).find(({ name }) => name.endsWith("-rotator"));
    expect(rotator?.pod.containers).toEqual([rotator?.sidecar]);
    expect(rotator?.sidecar.env).toContainEqual({
      name: "PRESTO_CONTROL_LISTEN",
      value: `unix:${controlFolder}/control.sock`,
    });
  });

  it("tells the app where the sidecar listens, and to keep calls to it away from a proxy", () => {
    const env = { HTTP_PROXY: "http://proxy:3128", no_proxy: ".internal" };
    const [app] = podOf(renderChart({ app: { env } })).containers;
    expect(app.env).toEqual([
      { name: "WALLET_API_URL", value: "http://127.0.0.1:7380" },
      { name: "NO_PROXY", value: "127.0.0.1,localhost,::1,.internal" },
      { name: "no_proxy", value: "127.0.0.1,localhost,::1,.internal" },
      { name: "HTTP_PROXY", value: "http://proxy:3128" },
    ]);
  });

  it.each([
    [
      "istio",
      "traffic.sidecar.istio.io/excludeInboundPorts",
      "traffic.sidecar.istio.io/excludeOutboundPorts",
    ],
    ["linkerd", "config.linkerd.io/skip-inbound-ports", "config.linkerd.io/skip-outbound-ports"],
  ])("writes the exclusions of %s by one value, for each of its pods", (mesh, inbound, outbound) => {
    const vault = { address: "https://vault.example:8200", entry: "secret/presto" };
    const rotator = { enabled: true, credentials: { entry: "secret/account" } };
    const store = { kind: "vault", vault };
    for (const { spec } of renderChart({ mesh, store, rotator }).filter(({ kind }) => kind === "Deployment"))
      expect(spec.template.metadata.annotations).toMatchObject({ [inbound]: "7381", [outbound]: "443,8200" });
    expect(JSON.stringify(renderChart({ store, rotator }))).not.toMatch(/istio|linkerd/);
  });

  it("renders nothing of its own where another chart only includes its templates", () => {
    expect(renderChart({ app: { enabled: false }, networkPolicy: { enabled: true } })).toEqual([]);
  });

  it("renders nothing at all where it is switched off", () => {
    const store = { kind: "kubernetes" };
    const rotator = { enabled: true, createSecrets: true };
    expect(renderChart({ enabled: false, store, rotator, networkPolicy: { enabled: true } })).toEqual([]);
  });
});
