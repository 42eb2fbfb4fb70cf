import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { ignore } from "../../src/lib/events.ts";
import { type Backend, StoreError } from "../../src/store/contract.ts";
import { openSecretBackend } from "../../src/store/kubernetes/secret.ts";
import { until } from "../support/until.ts";
import { grant, makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

const bytes = Buffer.from("MARKED record");
const mount = "mount";

describe("what a real API server refuses", () => {
  let kube: KubeServer;
  const opened: Backend[] = [];
  beforeAll(async () => {
    kube = await startKubeServer();
    await makeNamespace(kube, "presto");
  });
  afterAll(() => kube.close());
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
  });

  async function open(namespace: string, name: string, kubeconfig = kube.kubeconfig) {
    const backend = await openSecretBackend(
      {
        namespace,
        name,
        key: "record",
        holds: "token",
        cluster: { kubeconfig: [kubeconfig], host: undefined, port: undefined, environment: {} },
      },
      { clock: systemClock, emit: ignore },
    );
    opened.push(backend);
    return backend;
  }

  /** As a user of the administrator's kubeconfig in the place of the administrator. */
  async function kubeconfigOf(name: string, user: object): Promise<string> {
    const path = join(kube.folder, `${name}.kubeconfig`);
    await writeFile(
      path,
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: kube.url, "certificate-authority": "ca.crt" } }],
        users: [{ name: "u", user }],
      }),
    );
    return path;
  }

  async function refusalOf(attempt: Promise<unknown>): Promise<string> {
    const end: unknown = await attempt.catch((error: unknown) => error);
    if (!(end instanceof StoreError)) throw new Error(`no refusal: ${String(end)}`);
    expect(end.message).not.toContain("MARKED");
    return `${end.code}: ${end.message}`;
  }

  it("rights: which verb on which object, and the lines that grant it", async () => {
    await makeSecret(kube, "presto", "rights");
    const token = await grant(kube, {
      namespace: "presto",
      account: "reader",
      secret: "rights",
      verbs: ["get"],
    });
    const mine = await kubeconfigOf("reader", { token });
    const backend = await open("presto", "rights", mine);
    // Rights spread within a moment.
    await until(
      async () =>
        backend.read().then(
          () => true,
          () => undefined,
        ),
      {
        withinMs: 60_000,
        what: "the right to read",
      },
    );
    expect(await refusalOf(backend.write(bytes, undefined))).toMatch(
      /^refused: The record in the Secret presto\/rights could not be written \([^)]+passes by itself\): system:serviceaccount:presto:reader lacks the right to update it\. Grant it: kubectl create role rights-update -n presto --verb=update --resource=secrets --resource-name=rights && kubectl create rolebinding rights-update -n presto --role=rights-update --serviceaccount=presto:reader$/,
    );
    expect(await refusalOf((await open("presto", "another", mine)).read())).toMatch(
      /lacks the right to get it/,
    );
  });

  it("credentials that are none, and a client certificate that is one", async () => {
    expect(
      await refusalOf((await open("presto", "x", await kubeconfigOf("bad", { token: "nobody" }))).read()),
    ).toMatch(/^refused: .*does not accept the credentials of this process \(401\)/);
    const { certPem, keyPem } = await kube.certificateFor("jane");
    const jane = await kubeconfigOf("jane", {
      "client-certificate-data": Buffer.from(certPem).toString("base64"),
      "client-key-data": Buffer.from(keyPem).toString("base64"),
    });
    expect(await refusalOf((await open("presto", "x", jane)).read())).toMatch(
      /: jane lacks the right to get it\. Grant it: .* --user=jane/,
    );
  });

  it("a namespace that is not there, or is being deleted", async () => {
    const absent = await open("nowhere", "token");
    expect(await absent.read()).toBeUndefined();
    expect(await refusalOf(absent.write(bytes, undefined))).toMatch(
      /^refused: .*no namespace nowhere\..*kubectl create namespace nowhere$/,
    );
    await makeNamespace(kube, "ending");
    // Nothing here empties it, so it stays like that.
    await kube.admin("DELETE", "/api/v1/namespaces/ending");
    expect(await refusalOf((await open("ending", "token")).write(bytes, undefined))).toMatch(
      /the namespace ending is being deleted/,
    );
  });

  it("one that is immutable", async () => {
    await makeSecret(kube, "presto", "fixed", { immutable: true, data: { record: "eA==" } });
    const backend = await open("presto", "fixed");
    const version = (await backend.read())?.version;
    expect(await refusalOf(backend.write(bytes, version))).toMatch(/marked immutable/);
  });

  it("a policy that denies", async () => {
    const group = "/apis/admissionregistration.k8s.io/v1";
    const policy = await kube.admin("POST", `${group}/validatingadmissionpolicies`, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "no-records" },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: [""],
              apiVersions: ["v1"],
              operations: ["UPDATE"],
              resources: ["secrets"],
              resourceNames: ["denied"],
            },
          ],
        },
        validations: [{ expression: "false" }],
      },
    });
    const binding = await kube.admin("POST", `${group}/validatingadmissionpolicybindings`, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "no-records" },
      spec: { policyName: "no-records", validationActions: ["Deny"] },
    });
    expect([policy.status, binding.status]).toEqual([201, 201]);
    await makeSecret(kube, "presto", "denied");
    const backend = await open("presto", "denied");
    // A policy takes effect within a second or two.
    const message = await until(
      async () => {
        const version = (await backend.read())?.version;
        return backend.write(bytes, version).then(
          () => undefined,
          (error: unknown) => String(error),
        );
      },
      { withinMs: 60_000, everyMs: 300, what: "the policy denies" },
    );
    expect(message).toMatch(/the admission policy no-records denies it/);
  });

  it("nobody: a Pod whose token is gone sends nothing, and is back when it is", async () => {
    await makeSecret(kube, "presto", "mounted", { data: { record: "eA==" } });
    const token = await grant(kube, {
      namespace: "presto",
      account: "pod",
      secret: "mounted",
      verbs: ["get", "watch"],
    });
    const folder = join(kube.folder, mount);
    await mkdir(folder);
    await writeFile(join(folder, "ca.crt"), kube.ca);
    const backend = await openSecretBackend(
      {
        namespace: "presto",
        name: "mounted",
        key: "record",
        holds: "token",
        cluster: { kubeconfig: [], host: kube.host, port: kube.port, environment: {}, mount: folder },
      },
      { clock: systemClock, emit: ignore },
    );
    opened.push(backend);
    expect(await refusalOf(backend.read())).toMatch(/^not-yet: .*mount\/token is not there/);
    await writeFile(join(folder, "token"), token);
    const read = await until(async () => backend.read().catch(() => undefined), {
      withinMs: 60_000,
      what: "the Pod reads",
    });
    expect(Buffer.from(read.bytes).toString()).toBe("x");
  });
});
