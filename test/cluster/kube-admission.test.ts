import { afterAll, afterEach, beforeAll, expect, it } from "vitest";

import { until } from "../support/until.ts";
import { openSecret, refusalOf } from "./kube/client.ts";
import { makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";
import { altering, registerWebhook, type WebhookAnswer, type WebhookKind } from "./kube/webhook.ts";

// What stands between a write and etcd in a real cluster: webhooks, quotas, encryption at rest.

let kube: KubeServer;
let ends: (() => void)[] = [];
beforeAll(async () => {
  kube = await startKubeServer();
});
afterAll(() => kube.close());
afterEach(() => {
  for (const end of ends) end();
  ends = [];
});

/** A webhook that is asked about changes of the one Secret of a new namespace. */
async function register(kind: WebhookKind, namespace: string, answer: WebhookAnswer) {
  await makeNamespace(kube, namespace);
  await makeSecret(kube, namespace, "token");
  const webhook = await registerWebhook(kube, { kind, namespace, answer });
  ends.push(webhook.stop);
  return webhook;
}

async function open(namespace: string) {
  const backend = await openSecret(kube.kubeconfig, { namespace, name: "token" });
  ends.push(backend.close);
  return backend;
}

/** Why a write does not go through, once what stands in its way is in effect. */
function denialOf(namespace: string): Promise<string> {
  return until(
    async () => {
      const backend = await open(namespace);
      const { write } = backend;
      const version = (await backend.read())?.version;
      return write(Buffer.from("MARKED record"), version).then(
        () => undefined,
        (error: unknown) => {
          expect(String(error)).not.toContain("MARKED");
          return refusalOf(Promise.reject(error));
        },
      );
    },
    { withinMs: 60_000, everyMs: 300, what: "the write is refused" },
  );
}

it("a webhook that denies is told by its name", async () => {
  await register("Validating", "denying", {
    allowed: false,
    status: { code: 403, message: "MARKED: no such thing here" },
  });
  expect(await denialOf("denying")).toMatch(
    /^refused: The record in the Secret denying\/token could not be written: the admission webhook denying\.hooks\.example denies it\. .*kubectl get validatingwebhookconfigurations/,
  );
});

it("a webhook that is down is told by its name, and the write goes through when it is back", async () => {
  const webhook = await register("Validating", "down", { allowed: true });
  webhook.stop();
  expect(await denialOf("down")).toMatch(
    /^unreachable: .* the admission webhook down\.hooks\.example does not answer\. .*take this Secret out of it/,
  );
  await webhook.unregister();
  const backend = await open("down");
  const written = await until(() => backend.put("two").catch(() => undefined), {
    withinMs: 60_000,
    everyMs: 300,
    what: "it is written",
  });
  expect(written).toMatchObject({ outcome: "written" });
});

it("a webhook that takes 30 s costs a write its 5 s, and the write is unclear", async () => {
  await register("Validating", "slow", "never");
  const beganAt = performance.now();
  expect(await denialOf("slow")).toMatch(/^unreachable: .*no answer within 5 s/);
  expect(performance.now() - beganAt).toBeLessThan(20_000);
});

it("a webhook that alters what is written is found out", async () => {
  await register("Mutating", "altering", altering);
  expect(await denialOf("altering")).toMatch(
    /^refused: .*something in the cluster altered what was written to it\. .*mutatingwebhookconfigurations/,
  );
});

it("a quota that is used up is told by its name", async () => {
  await makeNamespace(kube, "full");
  const quotas = "/api/v1/namespaces/full/resourcequotas";
  const hard = { "count/secrets": "0", secrets: "0" };
  await kube.admin("POST", quotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "small" },
    spec: { hard },
  });
  // What a controller does in a whole cluster.
  await kube.admin("PATCH", `${quotas}/small/status`, {
    status: { hard, used: { "count/secrets": "0", secrets: "0" } },
  });
  const backend = await open("full");
  expect(await refusalOf(backend.write(Buffer.from("x"), undefined))).toMatch(
    /^refused: The record in the Secret full\/token could not be made: the quota small of the namespace full is used up\. .*kubectl describe resourcequota small -n full/,
  );
});

it(
  "what the API server can't decrypt is told as that, and read when it can again",
  { timeout: 120_000 },
  async () => {
    await makeNamespace(kube, "sealed");
    await kube.stopApi();
    await kube.startApi({ encryptedWith: "first" });
    await makeSecret(kube, "sealed", "token");
    const backend = await open("sealed");
    await backend.put("one");
    await kube.stopApi();
    await kube.startApi({ encryptedWith: "second", answersOnly: true });
    expect(
      await until(() => refusalOf(backend.read()).catch(() => undefined), {
        withinMs: 60_000,
        what: "it can't be read",
      }),
    ).toMatch(/^unreachable: .*the API server can't decrypt it\. See to its encryption at rest/);
    await kube.stopApi();
    await kube.startApi({ encryptedWith: "first" });
    expect(await backend.text()).toBe("one");
  },
);
