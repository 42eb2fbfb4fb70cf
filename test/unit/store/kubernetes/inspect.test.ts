import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import type { Inspection, Use } from "../../../../src/store/inspection.ts";
import type { ClusterOptions } from "../../../../src/store/kubernetes/cluster.ts";
import { inspectLease, inspectSecret } from "../../../../src/store/kubernetes/inspect.ts";
import {
  refuse,
  reply,
  type StandInApi,
  type StandInSecret,
  startStandInApi,
} from "../../../support/stand-in-api.ts";

const account = "system:serviceaccount:payments:wallet";

/** Of our key, as managedFields name it. */
const keyed = { "f:data": { "f:record": {} } };

describe("what an API server says of a Secret and of this process", () => {
  let api: StandInApi;
  let folder: string;
  /** `verb resource/name`, or `verb resource` of all of them. */
  let granted: Set<string>;
  let user: string | undefined;
  /** What a question for the namespace is answered with. */
  let namespaceStatus: number;
  beforeAll(async () => {
    api = await startStandInApi();
    folder = await mkdtemp(join(tmpdir(), "inspect-"));
    await writeFile(join(folder, "ca.crt"), api.authority.certPem);
    await writeFile(join(folder, "token"), "MARKED-token");
    await writeFile(join(folder, "config"), api.kubeconfig());
  });
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    user = account;
    namespaceStatus = 403;
    granted = new Set(["get secrets/token", "watch secrets/token"]);
    api.seen.length = 0;
    api.put("token", {}, { metadata: {} });
    api.override = ({ url, body }, response) => {
      if (url.pathname.endsWith("/selfsubjectreviews")) {
        if (user === undefined) refuse(response, 404, "NotFound");
        else reply(response, 201, { status: { userInfo: { username: user } } });
        return true;
      }
      if (url.pathname.endsWith("/selfsubjectaccessreviews")) {
        const { verb, resource, name, namespace } = JSON.parse(body).spec.resourceAttributes;
        const right = `${verb} ${resource}${name === undefined ? "" : `/${name}`}`;
        const allowed = namespace === "payments" && granted.has(right);
        reply(response, 201, { status: { allowed } });
        return true;
      }
      if (url.pathname !== "/api/v1/namespaces/payments") return false;
      refuse(response, namespaceStatus, "Forbidden");
      return true;
    };
  });

  const inPod = (): ClusterOptions => ({
    kubeconfig: [],
    host: "127.0.0.1",
    port: `${api.port}`,
    environment: {},
    mount: folder,
  });

  async function inspect(use: Use = "follow", cluster = inPod()): Promise<Inspection> {
    const found = await inspectSecret(
      { namespace: "payments", name: "token", key: "record", cluster, use },
      { clock: systemClock },
    );
    expect(JSON.stringify(found)).not.toContain("MARKED");
    // Questions alone: a review is a POST that changes nothing.
    const asked = api.seen.filter(({ method, url }) => method !== "GET" && !url.pathname.endsWith("reviews"));
    expect(asked).toEqual([]);
    return found;
  }

  function standing(metadata: object, more: Partial<StandInSecret> = {}): void {
    api.remove("token");
    api.put("token", { record: "eA==" }, { ...more, metadata: { ...metadata } });
  }

  it("who it is, and that it may do what a proxy has to, and no more", async () => {
    const { login, rights, object, dated } = await inspect();
    expect(login).toEqual({
      result: "OK",
      detail: `The API server ${api.url} takes this process for ${account}.`,
    });
    expect(rights).toEqual({
      result: "OK",
      detail: `${account} may get and watch the Secret payments/token.`,
    });
    expect(object.result).toBe("OK");
    expect(Date.parse(dated.date ?? "")).toBeGreaterThan(Date.now() - 60_000);
  });

  it("each right that is missing, with the line that grants it", async () => {
    granted = new Set();
    const line = (verbs: string) =>
      `Grant it: kubectl create role token-${verbs.replaceAll(",", "-")} -n payments --verb=${verbs} --resource=secrets --resource-name=token && kubectl create rolebinding token-${verbs.replaceAll(",", "-")} -n payments --role=token-${verbs.replaceAll(",", "-")} --serviceaccount=payments:wallet`;
    expect((await inspect("renew")).rights).toEqual({
      result: "FAIL",
      detail: `${account} lacks the right to get, watch and update the Secret payments/token.`,
      mend: line("get,watch,update"),
    });
    granted = new Set(["get secrets/token", "watch secrets/token"]);
    expect((await inspect("renew")).rights).toMatchObject({ result: "FAIL", mend: line("update") });
  });

  it("a watch that is not allowed, which costs time and nothing else", async () => {
    granted.delete("watch secrets/token");
    expect((await inspect()).rights).toMatchObject({
      result: "WARN",
      detail: expect.stringContaining("read every 5 s instead"),
    });
  });

  it.each([
    ["update secrets/token", /may update the Secret payments\/token, which the role proxy never does/],
    ["list secrets", /may list the Secrets of the namespace payments, and with it read each of them/],
  ])("a right too many of a Pod: %s", async (right, says) => {
    granted.add(right);
    expect((await inspect()).rights).toMatchObject({ result: "WARN", detail: expect.stringMatching(says) });
    // A person at a laptop may do more.
    const cluster = api.cluster({ kubeconfig: join(folder, "config") });
    expect((await inspect("follow", cluster)).rights.result).toBe("OK");
  });

  it("an API server that does not say who asks, or what it may", async () => {
    user = undefined;
    granted = new Set();
    const { login, rights } = await inspect();
    expect(login.result).toBe("SKIP");
    expect(rights).toMatchObject({ mend: expect.stringContaining("--serviceaccount=NAMESPACE:NAME") });
    api.override = (_request, response) => {
      refuse(response, 403, "Forbidden");
      return true;
    };
    expect(await inspect()).toMatchObject({ rights: { result: "SKIP" }, object: { result: "SKIP" } });
  });

  it("that lets nobody in", async () => {
    api.override = (_request, response) => {
      refuse(response, 401, "Unauthorized");
      return true;
    };
    await expect(inspect()).rejects.toMatchObject({ code: "refused" });
  });

  it("a Secret that is not there, with the line that makes it", async () => {
    api.remove("token");
    const mend = "Make it, empty: kubectl create secret generic token -n payments";
    expect((await inspect()).object).toMatchObject({ result: "WARN", mend });
    expect((await inspect("renew")).object).toMatchObject({ result: "FAIL", mend });
    granted.add("create secrets");
    expect((await inspect("renew")).object.result).toBe("OK");
    namespaceStatus = 404;
    expect((await inspect()).object).toMatchObject({
      result: "FAIL",
      mend: "Make it, or mend the address: kubectl create namespace payments",
    });
    api.put("token", {});
  });

  it.each<[string, object, Partial<StandInSecret>, RegExp]>([
    [
      "what kubectl apply has left",
      {
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"record":"TUFSS0VE"}}' },
      },
      {},
      /in clear and for good.* annotate secret token -n payments kubectl\.kubernetes\.io\/last-applied-configuration-$/,
    ],
    [
      "a mirror",
      { annotations: { "replicator.v1.mittwald.de/replicate-to": "*" } },
      {},
      /kubernetes-replicator.*whoever reads one has the token/,
    ],
    [
      "another writer",
      {
        managedFields: [
          // Not in the order of time.
          { manager: "velero-server", time: "2026-11-24T02:00:00Z", fieldsV1: keyed },
          { manager: "presto-sidecar", time: "2026-11-24T01:00:00Z", fieldsV1: keyed },
        ],
      },
      {},
      /written last by velero-server/,
    ],
    ["immutability", {}, { immutable: true }, /immutable/],
  ])("what a neighbour does to it: %s", async (_what, metadata, more, says) => {
    standing(metadata, more);
    const { object } = await inspect();
    expect(object.result).toBe("WARN");
    expect(`${object.detail} ${"mend" in object ? object.mend : ""}`).toMatch(says);
  });

  it("nothing of a Secret that only this program writes", async () => {
    standing({
      managedFields: [
        { manager: "kubectl-create", time: "2026-11-24T03:00:00Z", fieldsV1: { "f:type": {} } },
        { manager: "presto-sidecar", time: "2026-11-24T02:00:00Z", fieldsV1: keyed },
      ],
    });
    expect((await inspect()).object.result).toBe("OK");
  });

  describe("of the Lease that is the lock", () => {
    const lease = { namespace: "payments", name: "token" };
    let holderIdentity: string | undefined;
    beforeEach(() => {
      holderIdentity = "";
      for (const verb of ["get", "update", "create"]) granted.add(`${verb} leases/token`);
      const before = api.override;
      api.override = (request, response) => {
        if (!request.url.pathname.endsWith("/leases/token")) return before?.(request, response) ?? false;
        const metadata = { name: "token", uid: "1", resourceVersion: "2" };
        if (holderIdentity === undefined)
          refuse(response, 404, "NotFound", { kind: "leases", name: "token" });
        else reply(response, 200, { kind: "Lease", metadata, spec: { holderIdentity } });
        return true;
      };
    });

    it("the rights on it, which is created by PUT and so by name", async () => {
      for (const verb of ["get", "update", "create"]) granted.delete(`${verb} leases/token`);
      expect(await inspectLease(lease, inPod(), { clock: systemClock })).toEqual({
        result: "FAIL",
        detail: `${account} lacks the right to get, update and create the Lease payments/token.`,
        mend: "Grant it: kubectl create role token-lease-get-update-create -n payments --verb=get,update,create --resource=leases.coordination.k8s.io --resource-name=token && kubectl create rolebinding token-lease-get-update-create -n payments --role=token-lease-get-update-create --serviceaccount=payments:wallet",
      });
    });

    it.each([
      [undefined, "OK", /Nobody has taken the lock, the Lease payments\/token, yet/],
      ["", "OK", /Nobody holds the lock, the Lease payments\/token\.$/],
      [
        "payments/presto-rotator-0_11111111-2222-3333-4444-555555555555",
        "OK",
        /The Pod payments\/presto-rotator-0 holds the lock/,
      ],
      ["kube-scheduler", "WARN", /"kube-scheduler", which is no presto-sidecar, holds the lock/],
    ])("who holds it: %s", async (holder, result, says) => {
      holderIdentity = holder;
      const found = await inspectLease(lease, inPod(), { clock: systemClock });
      expect(found).toMatchObject({ result, detail: expect.stringMatching(says) });
    });
  });
});
