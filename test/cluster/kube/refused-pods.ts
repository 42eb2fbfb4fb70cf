import { all, annotate, app, type Change, spec } from "./injection.ts";

// Pods that ask for the sidecar and are not made, and what other programs of a cluster do to them.

/** The sidecar's. */
export const image = "registry.example/presto-sidecar:1.2.3";
/** A container of our name that the pod has brought along. */
export const own = (more: object): Change =>
  spec({ initContainers: [{ name: "presto-sidecar", image, restartPolicy: "Always", ...more }] });
/** A volume with the service account's token. */
export const apiToken = (audience?: string): Change =>
  spec({
    volumes: [{ name: "api", projected: { sources: [{ serviceAccountToken: { path: "t", audience } }] } }],
  });
export const mountsApi = app({ volumeMounts: [{ name: "api", mountPath: "/api" }] });

/** What no pod is made with; the namespace is `payments` unless said. */
export const refused: readonly (readonly [
  title: string,
  change: Change,
  says: RegExp,
  namespace?: string,
])[] = [
  ["an unknown annotation", annotate("injct", "enabled"), /no annotation presto-sidecar\/injct\. There are /],
  [
    "the annotation as a label",
    (pod) => (pod.metadata.labels = { "presto-sidecar/inject": "enabled" }),
    /presto-sidecar\/inject is a label, and does nothing/,
  ],
  ["another value than enabled", annotate("inject", "yes"), /presto-sidecar\/inject is "yes": it may be/],
  ["another value than allowed", annotate("automount", "true"), /automount is "true": it may be allowed/],
  [
    "the policy's mark without having asked",
    (pod) => {
      pod.metadata.annotations = {};
      pod.metadata.labels = { "presto-sidecar/injected": "true" };
    },
    /has the label presto-sidecar\/injected, which is the policy's own mark/,
  ],
  [
    "an unknown annotation of its namespace",
    () => {},
    /namespace has no annotation presto-sidecar\/cpu\. For all its pods/,
    "odd",
  ],
  ["no amount of CPU", annotate("cpu-request", "much"), /cpu-request is "much" .* must be an amount above 0/],
  ["an empty amount", annotate("cpu-limit", "0"), /cpu-limit is "0" /],
  ["an amount below 0", annotate("memory-request", "-1"), /memory-request is "-1" /],
  ["a misspelt amount", annotate("memory-limit", "256Mo"), /memory-limit is "256Mo" /],
  [
    "an amount of its namespace that is none",
    () => {},
    /memory-request is "lots" \(at the pod, or else at its namespace\): it must be an amount above 0/,
    "mistyped",
  ],
  [
    "no name of a variable",
    annotate("url-variable", "PAY-URL"),
    /url-variable is "PAY-URL" .* name of a var/,
  ],
  ["a variable of the sidecar's", annotate("url-variable", "PRESTO_URL"), /url-variable is "PRESTO_URL" /],
  [
    "a container of our name",
    (pod) => pod.spec.containers.push({ name: "presto-sidecar", image }),
    /a container of the pod's own is called presto-sidecar/,
  ],
  [
    "an init container of our name and another image",
    own({ image: "busybox" }),
    /has the image busybox, and not registry\.example\/presto-sidecar:1\.2\.3/,
  ],
  [
    "one whose image only begins like ours",
    own({ image: "registry.example/presto-sidecar-evil:1.2.3" }),
    /has the image registry\.example\/presto-sidecar-evil/,
  ],
  [
    "one of our image that is no native sidecar",
    own({ restartPolicy: undefined }),
    /lost its restartPolicy: Always/,
  ],
  ["one of our image with other arguments", own({ args: ["sandbox"] }), /is not as the policy writes it/],
  [
    "a volume of a name like ours",
    spec({ volumes: [{ name: "presto-sidecar-x", emptyDir: {} }] }),
    /volume presto-sidecar-x: names that begin/,
  ],
  [
    "a volume of our name and other content",
    spec({ volumes: [{ name: "presto-sidecar-key", secret: { secretName: "own" } }] }),
    /has the name of one of the sidecar's .* and another content/,
  ],
  [
    "a mount of ours in the app's container",
    app({ volumeMounts: [{ name: "presto-sidecar-api", mountPath: "/api" }] }),
    /app mounts a volume of the sidecar's/,
  ],
  [
    "a mount of the control socket's volume there",
    app({ volumeMounts: [{ name: "presto-sidecar-control", mountPath: "/control" }] }),
    /app mounts a volume of the sidecar's/,
  ],
  [
    "the token's Secret in a variable",
    app({ env: [{ name: "T", valueFrom: { secretKeyRef: { name: "presto-token", key: "record" } } }] }),
    /app has a Secret of the sidecar's \(presto-key, presto-token\)/,
  ],
  [
    "the key's Secret as variables",
    app({ envFrom: [{ secretRef: { name: "presto-key" } }] }),
    /app has a Secret of the/,
  ],
  [
    "the key's Secret as a volume of its own",
    all(
      spec({ volumes: [{ name: "mine", secret: { secretName: "presto-key" } }] }),
      app({ volumeMounts: [{ name: "mine", mountPath: "/mine" }] }),
    ),
    /app has a Secret of the sidecar's/,
  ],
  [
    "the key's Secret in a projected volume",
    all(
      spec({ volumes: [{ name: "mine", projected: { sources: [{ secret: { name: "presto-key" } }] } }] }),
      app({ volumeMounts: [{ name: "mine", mountPath: "/mine" }] }),
    ),
    /app has a Secret of the sidecar's/,
  ],
  [
    "a port that calls come in at",
    app({ ports: [{ containerPort: 7380 }] }),
    /app has a port .* \(7380 or 7381\)/,
  ],
  ["the admin port", app({ ports: [{ containerPort: 7381 }] }), /app has a port/],
  [
    "the node's network",
    spec({ hostNetwork: true }),
    /hostNetwork: true, so that its loopback is the node's/,
  ],
  ["the node's processes", spec({ hostPID: true }), /hostPID or shareProcessNamespace: true/],
  ["processes that all containers see", spec({ shareProcessNamespace: true }), /hostPID or shareProcessN/],
  ["our user in a container", app({ securityContext: { runAsUser: 65532 } }), /app runs as user 65532/],
  ["our user for the whole pod", spec({ securityContext: { runAsUser: 65532 } }), /app runs as user 65532/],
  [
    "the service account's token in the app, as by default",
    spec({ automountServiceAccountToken: undefined }),
    /app has the token of the service account wallet, .* automountServiceAccountToken: false .* presto-sidecar\/automount: allowed/,
  ],
  [
    "a token in a volume of its own",
    all(apiToken(), mountsApi),
    /app has the token of the service account wallet/,
  ],
  [
    "a token for the API server by name",
    all(apiToken("https://kubernetes.default.svc"), mountsApi),
    /app has the token of the service account wallet/,
  ],
  [
    "a token of the old kind",
    all(
      spec({ volumes: [{ name: "old", secret: { secretName: "wallet-token-x" } }] }),
      app({ volumeMounts: [{ name: "old", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }] }),
    ),
    /app has the token of the service account wallet/,
  ],
  ...(["reader", "watcher", "lister"] as const).map(
    (account) =>
      [
        `a token that is allowed, of a ${account} of the token's Secret`,
        all(
          annotate("automount", "allowed"),
          spec({ automountServiceAccountToken: undefined, serviceAccountName: account }),
        ),
        new RegExp(
          `service account ${account}, which may read the Secret payments/presto-token\\. Take that`,
        ),
      ] as const,
  ),
  [
    "a token that is allowed, of a reader of the key's Secret",
    all(
      annotate("automount", "allowed"),
      spec({ automountServiceAccountToken: undefined, serviceAccountName: "key-reader" }),
    ),
    /service account key-reader, which may read the Secret payments\/presto-key\./,
  ],
  [
    "a token that is allowed, where the sidecar logs in to Vault by it",
    all(annotate("automount", "allowed"), spec({ automountServiceAccountToken: undefined })),
    /by which the sidecar logs in to Vault\. Give the sidecar's an audience of its own/,
    "vault",
  ],
];

/** Puts a variable into the sidecar's container. */
const variableAdded = (name: string, value: string): readonly object[] => [
  { op: "add", path: "/spec/initContainers/0/env/-", value: { name, value } },
];

/** What other programs of a cluster do to pods after us, and what becomes of those that this breaks. */
export const disturbing: readonly (readonly [string, string, readonly object[], RegExp])[] = [
  [
    "takes the sidecar out, as often as it comes",
    "taking",
    [{ op: "remove", path: "/spec/initContainers" }],
    /asks for the sidecar and ends without it\. .* MutatingAdmissionPolicy fleet-injection\.default/,
  ],
  [
    // Kubernetes itself says so, since there are probes.
    "drops restartPolicy",
    "dropping",
    [{ op: "remove", path: "/spec/initContainers/0/restartPolicy" }],
    /initContainers\[0\]\.readinessProbe: Forbidden: .* without restartPolicy=Always/,
  ],
  [
    "adds NODE_OPTIONS",
    "options",
    variableAdded("NODE_OPTIONS", "--require /x"),
    /put NODE_OPTIONS into the sidecar's container/,
  ],
  [
    "adds a proxy",
    "proxying",
    variableAdded("HTTPS_PROXY", "http://proxy:3128"),
    /put HTTPS_PROXY into the sidecar's container/,
  ],
  [
    "sets a variable of ours a second time",
    "doubling",
    variableAdded("PRESTO_URL", "https://evil.example"),
    /put PRESTO_URL into the sidecar's container/,
  ],
  [
    "rewrites images",
    "mirroring",
    [{ op: "replace", path: "/spec/initContainers/0/image", value: "mirror.example/presto-sidecar:1.2.3" }],
    /has the image mirror\.example\/presto-sidecar:1\.2\.3, .* set image\.repository/,
  ],
  [
    "adds a preStop",
    "stopping",
    [
      {
        op: "add",
        path: "/spec/initContainers/0/lifecycle",
        value: { preStop: { exec: { command: ["sleep"] } } },
      },
    ],
    /is not as the policy writes it/,
  ],
  [
    "adds a container on our port",
    "colliding",
    [
      {
        op: "add",
        path: "/spec/containers/-",
        value: { name: "agent", image: "agent", ports: [{ containerPort: 7381 }] },
      },
    ],
    /agent has a port that the sidecar listens on/,
  ],
];

/** What is put right, or does no harm. */
export const harmless: readonly (readonly [string, string, readonly object[]])[] = [
  [
    "adds a container",
    "adding",
    [{ op: "add", path: "/spec/containers/-", value: { name: "agent", image: "agent" } }],
  ],
  [
    "takes all init containers out and adds a container",
    "resetting",
    [
      { op: "remove", path: "/spec/initContainers" },
      { op: "add", path: "/spec/containers/-", value: { name: "agent", image: "agent" } },
    ],
  ],
  [
    "gives the image its digest, and adds a container",
    "resolving",
    [
      { op: "replace", path: "/spec/initContainers/0/image", value: `${image}@sha256:${"a".repeat(64)}` },
      { op: "add", path: "/spec/containers/-", value: { name: "agent", image: "agent" } },
    ],
  ],
];
