import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { ask } from "../support/ask.ts";
import { makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";
import { altering, registerWebhook, type WebhookAnswer, type WebhookKind } from "./kube/webhook.ts";
import { type IssuingStage, openIssuingStage } from "./refused-issues.ts";

describe("over a real API server, nothing is issued", () => {
  let sandbox: Sandbox;
  let kube: KubeServer;
  let stage: IssuingStage;
  beforeAll(async () => {
    [kube, sandbox] = [await startKubeServer(), createSandbox({ issuedAgoMs: 60 * 60_000 })];
    await sandbox.start();
  });
  afterAll(async () => {
    await sandbox.close();
    await kube.close();
  });
  beforeEach(async () => {
    stage = await openIssuingStage(sandbox);
  });
  afterEach(() => stage.close());

  function rotateIn(namespace: string): void {
    stage.rotate({ PRESTO_STORE: `kubernetes:${namespace}/token`, KUBECONFIG: kube.kubeconfig });
  }

  async function recordIn(namespace: string): Promise<unknown> {
    const { json } = await kube.admin("GET", `/api/v1/namespaces/${namespace}/secrets/token`);
    return Object(Object(json).data).record;
  }

  it.each<[string, WebhookKind, WebhookAnswer | "stopped", RegExp]>([
    ["down", "Validating", "stopped", /admission webhook down\.hooks\.example does not answer/],
    ["slow", "Validating", "never", /no answer within 5 s/],
    ["altering", "Mutating", altering, /something in the cluster altered what was written to it/],
    [
      "denying",
      "Validating",
      { allowed: false, status: { code: 403, message: "no" } },
      /admission webhook denying\.hooks\.example denies it/,
    ],
  ])("while admission is %s, and says why", { timeout: 120_000 }, async (namespace, kind, answer, says) => {
    await makeNamespace(kube, namespace);
    await makeSecret(kube, namespace, "token");
    const webhook = await registerWebhook(kube, {
      kind,
      namespace,
      answer: answer === "stopped" ? "never" : answer,
    });
    if (answer === "stopped") webhook.stop();
    // It takes effect within a second or two.
    await pause(2_000);
    try {
      rotateIn(namespace);
      await stage.expectTold(says);
    } finally {
      webhook.stop();
      await webhook.unregister();
    }
    if (namespace === "altering") {
      // What was altered is no record, and nobody but a person takes it away.
      await pause(5_000);
      expect([stage.issues(), await recordIn(namespace)]).toEqual([
        0,
        Buffer.from("theirs").toString("base64"),
      ]);
      return;
    }
    await stage.expectIssued();
    expect(stage.issues()).toBe(1);
  });

  it(
    "while the API server is away; one token is, whatever it answers as it starts",
    { timeout: 120_000 },
    async () => {
      await makeNamespace(kube, "away");
      await makeSecret(kube, "away", "token");
      await kube.stopApi();
      rotateIn("away");
      await stage.expectTold(/can't be asked: connection refused/);
      // Its first answers are refusals, for a moment.
      await kube.startApi({ answersOnly: true });
      await stage.expectIssued();
      await stage.ready();
      expect(stage.issues()).toBe(1);
      expect((await ask(stage.at("admin"), "/readyz?verbose")).text).not.toMatch(/\[[!-]\]/);
    },
  );

  it("into a Secret that is immutable, and says so", { timeout: 90_000 }, async () => {
    await makeNamespace(kube, "fixed");
    await makeSecret(kube, "fixed", "token", { immutable: true });
    rotateIn("fixed");
    await stage.expectTold(/marked immutable, and can't be written\. Make it anew without that/);
  });
});
