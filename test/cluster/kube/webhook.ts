import { createServer } from "node:https";

import { createAuthority } from "../../../src/sandbox/certificates.ts";
import type { KubeServer } from "./server.ts";

export type WebhookKind = "Validating" | "Mutating";

/** What it answers to each question; `never`: it takes them and answers none. */
export type WebhookAnswer = object | "never";

export interface WebhookOptions {
  readonly kind: WebhookKind;
  readonly namespace: string;
  /** What it is asked about in there: changes of Secrets unless given. */
  readonly rule?: { readonly operation: "CREATE" | "UPDATE"; readonly resource: string };
  /** Is it asked once more after others have changed what it let pass? */
  readonly isAskedAgain?: boolean;
  readonly answer: WebhookAnswer;
}

/** An admission webhook, as people run them beside a cluster. Failing closed, with the longest time that there is: 30 s. */
export interface Webhook {
  /** It is asked, and is not there. */
  stop(): void;
  /** It is asked no more. */
  unregister(): Promise<void>;
}

/** Changes what it is asked about by that JSON Patch. */
export function patching(...patch: readonly object[]): WebhookAnswer {
  return {
    allowed: true,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
  };
}

/** Puts other bytes in the place of the record. */
export const altering: WebhookAnswer = patching({
  op: "replace",
  path: "/data/record",
  value: Buffer.from("theirs").toString("base64"),
});

/** Starts one and has the API server ask it. It takes effect within a second or two. */
export async function registerWebhook(
  kube: KubeServer,
  {
    kind,
    namespace,
    rule = { operation: "UPDATE", resource: "secrets" },
    isAskedAgain = false,
    answer,
  }: WebhookOptions,
): Promise<Webhook> {
  const authority = await createAuthority({ name: "webhook" });
  const { certPem: cert, keyPem: key } = await authority.issue({ names: ["127.0.0.1"] });
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (answer === "never") return;
      const review: unknown = JSON.parse(Buffer.concat(chunks).toString());
      const said = { uid: Object(review).request.uid, ...Object(answer) };
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: said }),
      );
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the webhook does not listen");
  const name = `${namespace}.hooks.example`;
  const path = `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`;
  const { status, json } = await kube.admin("POST", path, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name },
    webhooks: [
      {
        name,
        clientConfig: {
          url: `https://127.0.0.1:${address.port}/`,
          caBundle: Buffer.from(authority.certPem).toString("base64"),
        },
        rules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: [rule.operation], resources: [rule.resource] },
        ],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        ...(isAskedAgain ? { reinvocationPolicy: "IfNeeded" } : {}),
        failurePolicy: "Fail",
        sideEffects: "None",
        timeoutSeconds: 30,
        admissionReviewVersions: ["v1"],
      },
    ],
  });
  if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`);
  return {
    stop() {
      server.close();
      server.closeAllConnections();
    },
    async unregister() {
      await kube.admin("DELETE", `${path}/${name}`);
    },
  };
}
