import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { KubeObject } from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import {
  applyPolicies,
  canRender,
  type Change,
  fleetValues,
  makeLabelled,
  newPod,
  refusalOfPod,
  renderPolicies,
  startInjecting,
  tryPod,
} from "./kube/injection.ts";
import { grant } from "./kube/namespace.ts";
import { disturbing, harmless, refused } from "./kube/refused-pods.ts";
import type { KubeServer } from "./kube/server.ts";
import { patching, registerWebhook, type Webhook } from "./kube/webhook.ts";

// What the ValidatingAdmissionPolicy refuses, with a sentence that says why and what to do.

/** Where the Vault is that sidecars of the second release log in to, by the account of their pod. */
const vaultValues = {
  ...fleetValues,
  store: { kind: "vault", vault: { address: "https://vault.example:8200", entry: "secret/presto" } },
  injection: { enabled: true, namespaceLabel: "vault" },
};

describe.skipIf(!canRender())("injection refuses", () => {
  let kube: KubeServer;
  const webhooks: Webhook[] = [];
  const heard = new Set<string>();
  beforeAll(async () => {
    kube = await startInjecting();
    await makeLabelled(kube, "odd", { annotations: { "presto-sidecar/cpu": "1" } });
    await makeLabelled(kube, "mistyped", { annotations: { "presto-sidecar/memory-request": "lots" } });
    await makeLabelled(kube, "vault", { label: "vault" });
    for (const [account, secret, verb] of [
      ["reader", "presto-token", "get"],
      ["watcher", "presto-token", "watch"],
      ["lister", "presto-token", "list"],
      ["key-reader", "presto-key", "get"],
    ] as const)
      await grant(kube, { namespace: "payments", account, secret, verbs: [verb] });
    for (const [, namespace, patch] of [...disturbing, ...harmless]) {
      await makeLabelled(kube, namespace);
      const webhook = await registerWebhook(kube, {
        kind: "Mutating",
        namespace,
        rule: { operation: "CREATE", resource: "pods" },
        isAskedAgain: namespace === "taking",
        answer: patching(...patch),
      });
      webhooks.push(webhook);
    }
    await applyPolicies(kube, renderPolicies("vault", vaultValues), "vault");
  });
  afterAll(async () => {
    for (const webhook of webhooks) webhook.stop();
    await kube.close();
  });

  async function refusal(change: Change, namespace = "payments"): Promise<string> {
    const text = await refusalOfPod(kube, namespace, newPod(change));
    heard.add(text);
    return text;
  }

  describe("a pod that asks for the sidecar and has", () => {
    const rows = refused.map(([title, change, says, namespace]) => ({ title, change, says, namespace }));
    it.each(rows)("$title", async ({ change, says, namespace }) => {
      const text = await refusal(change, namespace);
      expect(text).toMatch(says);
      expect(text).toMatch(/denied request: presto-sidecar: /);
    });
  });

  describe("what is left of it after a webhook that", () => {
    it.each(disturbing)("%s", async (_, namespace, __, says) => {
      // A webhook takes effect within a second or two.
      const text = await until(
        async () => {
          const found = await refusal(() => {}, namespace);
          return found === "it is made" ? undefined : found;
        },
        { withinMs: 60_000, everyMs: 100, what: `${namespace} is asked` },
      );
      expect(text).toMatch(says);
    });

    it.each(harmless)("%s: none of it, and the added container knows the address", async (_, namespace) => {
      const pod: KubeObject = await until(
        async () => {
          const { json } = await tryPod(kube, namespace, newPod());
          return Object(json).spec?.containers.length > 1 ? json : undefined;
        },
        { withinMs: 60_000, everyMs: 100, what: `${namespace} is asked` },
      );
      expect(pod.spec.initContainers).toMatchObject([{ name: "presto-sidecar", restartPolicy: "Always" }]);
      expect(pod.spec.containers[1]).toMatchObject({
        name: "agent",
        env: [{ name: "WALLET_API_URL", value: "http://127.0.0.1:7380" }],
      });
    });
  });

  it("by no rule that no pod here was refused by", () => {
    const rules = renderPolicies("fleet", fleetValues).find(
      ({ kind, metadata }) => kind === "ValidatingAdmissionPolicy" && /-injection\./.test(metadata.name),
    ).spec.validations;
    expect(rules.length).toBeGreaterThan(20);
    const unheard = rules
      .map(({ message, messageExpression }: KubeObject) => message ?? longestText(messageExpression))
      .filter((text: string) => ![...heard].some((said) => said.includes(text)));
    expect(unheard).toEqual([]);
  });
});

/** The longest piece of text in an expression, which says it whatever else is told with it. */
function longestText(expression: string): string {
  const texts = [...expression.matchAll(/'((?:[^'\\]|\\.)*)'/g)].map(([, text = ""]) =>
    text.replaceAll(/\\(.)/g, "$1"),
  );
  return texts.toSorted((one, other) => other.length - one.length)[0] ?? "";
}
