import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseDocument } from "yaml";

// The manifests under docs/examples, for whoever has no Helm: what the chart renders, without Helm's own marks and
// with a comment where somebody's own values go. Needs helm in PATH (tools/ci/kube-tools.sh).
// Run as a program it writes them; test/e2e/chart-examples.test.ts fails where they differ.

const chart = new URL("../helm/presto-sidecar", import.meta.url).pathname;
const url = "https://presto.example";

interface Release {
  readonly name: string;
  readonly namespace?: string;
  readonly values: object;
  readonly kinds: readonly string[];
}

interface Example {
  readonly file: string;
  readonly head: string;
  readonly releases: readonly Release[];
}

const namespace = "payments";

const examples: readonly Example[] = [
  {
    file: "deployment.yaml",
    head: `# presto-sidecar in a pod without Helm: what the chart renders.
# Before it, put the live token into a Secret, without showing it on a command line:
#   kubectl create secret generic presto-token --from-file=token=/dev/stdin
# Then put your own values where a comment says so.`,
    releases: [
      {
        name: "wallet",
        values: { url, fullnameOverride: "wallet" },
        kinds: ["ServiceAccount", "Deployment"],
      },
    ],
  },
  {
    file: "fleet.yaml",
    head: `# One live token for every replica: two rotators that look after it, and an app's pods whose sidecars
# follow it. docs/kubernetes.md goes through it step by step; test/cluster/kube-rights.test.ts applies
# this very file to a real API server and shows that each right is needed, and that no other is there.
# The chart renders it, in two releases: the rotators, with rbac.readers for each app, and the app.
#   kubectl create -f docs/examples/fleet-secrets.yaml     (once)
#   kubectl apply -f docs/examples/fleet.yaml
# Put your own values where a comment says so, and your namespace in the place of \`payments\`.`,
    releases: [
      {
        name: "presto",
        namespace,
        values: {
          url,
          fullnameOverride: "presto",
          app: { enabled: false },
          store: { kind: "kubernetes" },
          rotator: { enabled: true },
          rbac: { readers: [{ name: "wallet" }] },
        },
        kinds: ["ServiceAccount", "Role", "RoleBinding", "PodDisruptionBudget", "Deployment"],
      },
      {
        name: "wallet",
        namespace,
        values: { url, fullnameOverride: "wallet", store: { kind: "kubernetes" }, rbac: { create: false } },
        kinds: ["ServiceAccount", "Deployment"],
      },
    ],
  },
  {
    file: "fleet-secrets.yaml",
    head: `# The two Secrets of a fleet, empty: the token's, which proxies and rotators read, and the account's, which
# rotators alone read. Make them once, before anything else, and never write them again:
#   kubectl create -f docs/examples/fleet-secrets.yaml
# \`create\`, not \`apply\`: that would keep what it wrote in an annotation for ever, and take the token away
# the next time. What fills them is the sidecar itself, or \`presto-sidecar token import\`.`,
    releases: [
      {
        name: "presto",
        namespace,
        values: {
          url,
          app: { enabled: false },
          store: { kind: "kubernetes" },
          rotator: { enabled: true, createSecrets: true },
        },
        kinds: ["Secret"],
      },
    ],
  },
];

/** Lines that are Helm's own business. The namespace \`default\` is whatever kubectl is in. */
const marks =
  /^\s+(helm\.sh\/|app\.kubernetes\.io\/(managed-by|version):|namespace: default$)|^\s*$|^# Source:/;

/** What is said above a line, wherever it stands. */
const comments: readonly (readonly [line: RegExp, comment: string])[] = [
  [/^ +image: "presto-sidecar:/, "Your registry's copy of the image, best by digest."],
  [/^ +- name: PRESTO_URL$/, "Your Presto origin."],
  [/^ +- name: PRESTO_CONTROL_LISTEN$/, "A socket that `kubectl exec` reaches, and no other container does."],
  [/^ +- name: app$/, "Your app. It calls http://127.0.0.1:7380 without credentials."],
  [
    /^ +terminationGracePeriodSeconds: 60$/,
    "The app's own shutdown (30 s here), then PRESTO_DRAIN_MAX (25 s), then 5 s for the rest.",
  ],
  [
    /^ +volumeMounts:$/,
    "Into the sidecar alone, and folders, never a subPath: a file mounted by subPath never changes.",
  ],
  [
    /^ +defaultMode: 292$/,
    "0444: the sidecar may read it, nobody may write it, and no other container mounts it.",
  ],
  [/^subjects:$/, "Service accounts; several may stand here."],
];

/** Each file under docs/examples, by its name, as the chart has it now. */
export function makeExamples(): ReadonlyMap<string, string> {
  return new Map(
    examples.map(({ file, head, releases }) => [
      file,
      `${head}\n${releases.flatMap((release) => documentsOf(release)).join("---\n")}`,
    ]),
  );
}

function documentsOf({ name, namespace: into, values, kinds }: Release): string[] {
  const folder = mkdtempSync(join(tmpdir(), "examples-"));
  try {
    const file = join(folder, "values.json");
    writeFileSync(file, JSON.stringify(values));
    const where = into === undefined ? [] : ["--namespace", into];
    const text = execFileSync("helm", ["template", name, chart, "--values", file, ...where], {
      encoding: "utf8",
    });
    return text
      .split(/^---$/m)
      .filter((document) => kinds.includes(String(parseDocument(document).get("kind"))))
      .map(plain);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function plain(document: string): string {
  return document
    .split("\n")
    .filter((line) => !marks.test(line))
    .flatMap((line) => {
      const indent = line.slice(0, line.length - line.trimStart().length);
      const said = comments
        .filter(([pattern]) => pattern.test(line))
        .map(([, comment]) => `${indent}# ${comment}`);
      return [...said, line];
    })
    .map((line) => `${line}\n`)
    .join("");
}

if (import.meta.main) {
  for (const [file, text] of makeExamples())
    writeFileSync(new URL(`../docs/examples/${file}`, import.meta.url), text);
}
