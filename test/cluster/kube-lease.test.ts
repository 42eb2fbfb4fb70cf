import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { random } from "../../src/lib/async.ts";
import { isObject } from "../../src/lib/json.ts";
import { holderName } from "../../src/store/holder.ts";
import { type Api, createApi } from "../../src/store/kubernetes/api.ts";
import { openCluster } from "../../src/store/kubernetes/cluster.ts";
import { createLeaseLock } from "../../src/store/kubernetes/lease.ts";
import { leaseMs } from "../../src/store/term.ts";
import { describeLock } from "../contract/lock.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { until } from "../support/until.ts";
import { createWaywardApi } from "../support/wayward-api.ts";
import { grant, makeNamespace } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

const namespace = "locks";
let kube: KubeServer;
let folder: string;
let serial = 0;
const opened: Api[] = [];
beforeAll(async () => {
  kube = await startKubeServer();
  folder = await mkdtemp(join(tmpdir(), "kube-lease-"));
  await makeNamespace(kube, namespace);
});
afterAll(async () => {
  for (const each of opened) each.close();
  await kube.close();
  await rm(folder, { recursive: true });
});

async function connect(kubeconfig: string): Promise<Api> {
  const options = { kubeconfig: [kubeconfig], host: undefined, port: undefined, environment: {} };
  const api = createApi(await openCluster(options, systemClock), systemClock);
  opened.push(api);
  return api;
}

/** A kubeconfig of somebody with that token. */
async function kubeconfigOf(token: string): Promise<string> {
  serial += 1;
  const path = join(folder, `config-${serial}`);
  await writeFile(
    path,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [
        {
          name: "c",
          cluster: {
            server: kube.url,
            "certificate-authority-data": Buffer.from(kube.ca).toString("base64"),
          },
        },
      ],
      users: [{ name: "u", user: { token } }],
    }),
  );
  return path;
}

const factor = 10;

describeLock(
  "a Lease of a real API server",
  async () => {
    serial += 1;
    const name = `lease-${serial}`;
    let processes = 0;
    return {
      async start() {
        processes += 1;
        const clock = createFastClock(factor);
        const way = createWaywardApi(await connect(kube.kubeconfig), clock);
        const holder = holderName({ namespace, name: `rotator-${processes}` }, randomUUID());
        return {
          lock: createLeaseLock({ namespace, name, holder }, { api: way, clock, random }),
          clock,
          kill() {
            way.state = "dead";
          },
          cut() {
            way.state = "cut";
          },
        };
      },
      pass: (ms) => systemClock.sleep(ms / factor),
      async dispose() {},
    };
  },
  {
    termMs: leaseMs,
    isKept: true,
    // Less than half of a term, after which it would be had anyway.
    handOverMs: 20_000,
    holder: /^The Pod locks\/rotator-\d holds the lock/,
    saidLateMs: 30_000,
  },
);

describe("a Lease of a real API server, with the least right,", () => {
  const path = (name: string): string =>
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;

  async function lockAs(token: string, name: string) {
    const api = await connect(await kubeconfigOf(token));
    const holder = holderName({ namespace, name: "rotator" }, randomUUID());
    return { api, lock: createLeaseLock({ namespace, name, holder }, { api, clock: systemClock, random }) };
  }

  it("is made by PUT, renewed and given back by whoever may get, update and create that one by name", async () => {
    const name = "token";
    const token = await grant(kube, {
      namespace,
      account: "rotator",
      lease: name,
      verbs: ["get", "update", "create"],
    });
    const { api, lock } = await lockAs(token, name);
    // Rights spread within a second.
    const held = await until(() => lock.acquire({ waitMs: 0 }).catch(() => undefined), {
      withinMs: 60_000,
      everyMs: 200,
      what: "the Lease is made",
    });
    expect(await held.renew()).toBe(true);
    const { json } = await kube.admin("GET", path(name));
    const spec = isObject(json) && isObject(json["spec"]) ? json["spec"] : {};
    expect(spec).toMatchObject({
      holderIdentity: held.identity.split(" ").at(-1),
      leaseDurationSeconds: 45,
      leaseTransitions: 0,
    });
    await held.release();
    expect((await kube.admin("GET", path(name))).json).toMatchObject({
      spec: { holderIdentity: "", leaseDurationSeconds: 1 },
    });
    // Without its version it would not be written at all, and another is out of reach.
    const body = JSON.stringify({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace },
      spec: { holderIdentity: "me" },
    });
    expect((await api.request({ method: "PUT", path: path(name), body })).status).toBe(422);
    expect((await api.request({ method: "POST", path: path(""), body })).status).toBeGreaterThanOrEqual(400);
    await expect((await lockAs(token, "other")).lock.acquire({ waitMs: 0 })).rejects.toThrow(
      /system:serviceaccount:locks:rotator lacks the right to get it\. Grant it: kubectl create role other-lease-get/,
    );
  });

  it("says that the right to create is missing where only that is", async () => {
    const name = "uncreated";
    const token = await grant(kube, { namespace, account: "reader", lease: name, verbs: ["get", "update"] });
    const { lock } = await lockAs(token, name);
    const refused = await until(
      async () => {
        const said = await lock.acquire({ waitMs: 0 }).then(
          () => "it was had",
          (error: unknown) => String(error),
        );
        return said.includes("right to get") ? undefined : said;
      },
      { withinMs: 60_000, everyMs: 200, what: "the rights are there" },
    );
    expect(refused).toContain(
      `lacks the right to create it. Grant it: kubectl create role ${name}-lease-create -n ${namespace} --verb=create --resource=leases.coordination.k8s.io --resource-name=${name} &&`,
    );
  });
});
