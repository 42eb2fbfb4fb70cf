import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { ask, askForNone, statusOf } from "../support/ask.ts";
import { runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import type { DoctorRow } from "../support/doctor-stage.ts";
import { sidecarOfPod } from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import { type AppliedFleet, applyFleet, type GivenRight, type Member } from "./kube/applied-fleet.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

// The rights that docs/examples/fleet.yaml gives are enough, each of them is needed, and no other is there.

const patience = { withinMs: 60_000, everyMs: 50 };
const mounted = "/var/run/secrets/kubernetes.io/serviceaccount";
const control = "/var/run/presto-sidecar/control";
const core = "/api/v1/namespaces/payments";
const leases = "/apis/coordination.k8s.io/v1/namespaces/payments/leases";

let kube: KubeServer;
let sandbox: Sandbox;
let fleet: AppliedFleet;
let folder: string;
const running: RunningCli[] = [];
const kubeconfigs = new Map<Member, string>();

beforeAll(async () => {
  [kube, sandbox] = [await startKubeServer(), createSandbox({ issuedAgoMs: 60 * 60_000 })];
  await sandbox.start();
  fleet = await applyFleet(kube);
  for (const member of ["wallet", "presto-rotator"] as const)
    kubeconfigs.set(member, await fleet.kubeconfig(member));
});
afterAll(async () => {
  await sandbox.close();
  await kube.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kube-rights-"));
  await writeFile(join(folder, "ca.pem"), sandbox.caPem);
});
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill("SIGKILL");
    await ended;
  }
  await fleet.giveAllBut(undefined);
  await rm(folder, { recursive: true });
});

/** As in the Pod, but for what this host has not: another Presto, sockets in the place of ports, and a kubeconfig in the place of a mount. */
function environment(member: Member, id = member as string): Record<string, string> {
  return {
    ...fleet.environment(member),
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: join(folder, "ca.pem"),
    ...(member === "wallet" ? { PRESTO_LISTEN: `unix:${join(folder, `${id}-proxy`)}` } : {}),
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, `${id}-admin`)}`,
    PRESTO_CONTROL_LISTEN: `unix:${join(folder, `${id}-control`)}`,
    KUBECONFIG: kubeconfigs.get(member) ?? "",
  };
}

function start(member: Member, id: string = member): RunningCli {
  const started = startCli(["start"], { env: environment(member, id) });
  running.push(started);
  return started;
}

async function ready(id: string): Promise<void> {
  await until(
    async () => ((await ask(join(folder, `${id}-admin`), "/readyz")).status === 200 ? true : undefined),
    {
      ...patience,
      what: () => `${id} is ready: ${running.map(({ out, err }) => out() + err()).join("")}`,
    },
  );
}

async function run(member: Member, argv: readonly string[], stdin = "") {
  return runCli(argv, { env: environment(member), stdin });
}

async function doctor(member: Member): Promise<readonly DoctorRow[]> {
  const { out } = await run(member, ["doctor", "--json"]);
  return JSON.parse(out);
}

async function rowOf(member: Member, check: string): Promise<DoctorRow> {
  const row = (await doctor(member)).find((each) => each.check === check);
  if (row === undefined) throw new Error(`doctor has no line ${check}`);
  return row;
}

async function importAsOperator(token: string): Promise<void> {
  const env = { ...environment("wallet"), KUBECONFIG: kube.kubeconfig };
  const { code, err } = await runCli(["token", "import"], { env, stdin: token });
  expect([code, err]).toEqual([0, ""]);
}

describe("the manifests", () => {
  it("give the service account's token to the sidecar's container and to no other", () => {
    for (const member of ["wallet", "presto-rotator"] as const) {
      const { spec } = fleet.pod(member);
      expect(spec.automountServiceAccountToken).toBe(false);
      const holding = spec.volumes
        .filter(
          ({ projected, secret }: Record<string, unknown>) => projected !== undefined || secret !== undefined,
        )
        .map(({ name }: { name: string }) => name);
      expect(holding).toEqual(["presto-sidecar-api"]);
      for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
        const mounts = (container.volumeMounts ?? []).map(
          ({ mountPath }: { mountPath: string }) => mountPath,
        );
        expect(mounts).toEqual(container === sidecarOfPod(spec) ? [control, mounted] : []);
      }
    }
  });

  it("give each of the two what it needs by name, and nothing else", () => {
    const of = (role: GivenRight["role"]) =>
      fleet
        .rights()
        .filter((right) => right.role === role)
        .map(({ verb, resource, name }) => `${verb} ${resource}/${name}`);
    expect(of("presto-proxy")).toEqual(["get secrets/presto-token", "watch secrets/presto-token"]);
    expect(of("presto-rotator").toSorted()).toEqual(
      [
        ...["get", "watch", "update"].flatMap((verb) => [
          `${verb} secrets/presto-account`,
          `${verb} secrets/presto-token`,
        ]),
        ...["create", "get", "update"].map((verb) => `${verb} leases/presto-token`),
      ].toSorted(),
    );
  });
});

describe("a proxy with its Pod's token", () => {
  it("serves, follows what is imported, and doctor and status say that all of it works", async () => {
    await importAsOperator(sandbox.token);
    start("wallet");
    await ready("wallet");
    expect(await askForNone(join(folder, "wallet-proxy"))).toBe(404);
    const before = (await statusOf(join(folder, "wallet-admin")))["generation"];
    await importAsOperator(sandbox.mintToken().token);
    await until(
      async () => {
        const { generation, store_state: state } = await statusOf(join(folder, "wallet-admin"));
        return generation !== before && Object(state).watch === "live" ? true : undefined;
      },
      { withinMs: 20_000, everyMs: 20, what: "the import is followed by a watch" },
    );
    const rows = await doctor("wallet");
    const found = rows
      .filter(({ check }) => check.startsWith("store"))
      .map(({ check, result, detail }) => [check, result, detail]);
    expect(found).toEqual([
      ["store", "OK", expect.any(String)],
      [
        "store-login",
        "OK",
        expect.stringContaining("takes this process for system:serviceaccount:payments:wallet."),
      ],
      [
        "store-rights",
        "OK",
        "system:serviceaccount:payments:wallet may get and watch the Secret payments/presto-token.",
      ],
      ["store-object", "OK", expect.any(String)],
      ["store-clock", "OK", expect.any(String)],
      ["store-watch", "OK", expect.stringContaining("has a watch that is alive")],
    ]);
  });

  it("can't write, list or delete, nor see the account's Secret or the Lease", async () => {
    const secret = `${core}/secrets/presto-token`;
    const object = (await fleet.ask("wallet", "GET", secret)).json;
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "presto-token" } };
    const refused = [
      fleet.ask("wallet", "PUT", secret, Object(object)),
      fleet.ask("wallet", "DELETE", secret),
      fleet.ask("wallet", "GET", `${core}/secrets`),
      fleet.ask("wallet", "GET", `${core}/secrets?watch=1`),
      fleet.ask("wallet", "GET", `${core}/secrets/presto-account`),
      fleet.ask("wallet", "GET", `${core}/secrets?fieldSelector=metadata.name%3Dpresto-account`),
      fleet.ask("wallet", "GET", "/api/v1/secrets"),
      fleet.ask("wallet", "GET", `${leases}/presto-token`),
      fleet.ask("wallet", "PUT", `${leases}/presto-token`, lease),
      fleet.ask("wallet", "POST", `${core}/serviceaccounts/presto-rotator/token`, {}),
    ];
    expect((await Promise.all(refused)).map(({ status }) => status)).toEqual(refused.map(() => 403));
    expect((await fleet.ask("wallet", "GET", secret)).status).toBe(200);
  });
});

describe("a rotator with its Pod's token", () => {
  it(
    "issues, renews and hands on: every proxy follows, and the other takes over where one is killed",
    { timeout: 300_000 },
    async () => {
      const credentials = JSON.stringify(sandbox.account);
      expect(await run("presto-rotator", ["credentials", "import"], credentials)).toMatchObject({ code: 0 });
      const one = start("presto-rotator", "one");
      start("presto-rotator", "two");
      start("wallet");
      for (const id of ["one", "two", "wallet"]) await ready(id);
      const generation = async () => Number((await statusOf(join(folder, "wallet-admin")))["generation"]);
      async function renewBy(id: string): Promise<void> {
        const before = await generation();
        // Whoever is killed may hold the Lease at that moment, for as long as it lasts.
        const { status, text } = await ask(join(folder, `${id}-control`), "/renew?wait=2m", "POST");
        expect([status, text]).toEqual([200, expect.stringContaining(`"generation":${before + 1}`)]);
        await until(async () => ((await generation()) === before + 1 ? true : undefined), {
          withinMs: 20_000,
          everyMs: 20,
          what: "the proxy follows",
        });
        expect(await askForNone(join(folder, "wallet-proxy"))).toBe(404);
      }
      await renewBy("one");
      await renewBy("two");
      one.child.kill("SIGKILL");
      await one.ended;
      await renewBy("two");
      const rows = await doctor("presto-rotator");
      const found = rows.filter(({ check }) => ["store-rights", "lock", "credentials"].includes(check));
      expect(found.map(({ check, result, detail }) => [check, result, detail])).toEqual([
        [
          "store-rights",
          "OK",
          "system:serviceaccount:payments:presto-rotator may get, watch and update the Secret payments/presto-token. system:serviceaccount:payments:presto-rotator may get, watch and update the Secret payments/presto-account.",
        ],
        [
          "lock",
          "OK",
          "system:serviceaccount:payments:presto-rotator may get, update and create the Lease payments/presto-token. Nobody holds the lock, the Lease payments/presto-token.",
        ],
        ["credentials", "OK", expect.any(String)],
      ]);
    },
  );

  it("can't list, delete or make Secrets, nor take another Lease", async () => {
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "another" } };
    const refused = [
      fleet.ask("presto-rotator", "DELETE", `${core}/secrets/presto-token`),
      fleet.ask("presto-rotator", "GET", `${core}/secrets`),
      fleet.ask("presto-rotator", "POST", `${core}/secrets`, { metadata: { name: "another" } }),
      fleet.ask("presto-rotator", "PUT", `${leases}/another`, lease),
      fleet.ask("presto-rotator", "POST", leases, lease),
      fleet.ask("presto-rotator", "DELETE", `${leases}/presto-token`),
    ];
    expect((await Promise.all(refused)).map(({ status }) => status)).toEqual(refused.map(() => 403));
  });
});

/** What each right that is taken away is told by. */
const missing: readonly (readonly [Member, string])[] = [
  ["wallet", "get secrets/presto-token"],
  ["wallet", "watch secrets/presto-token"],
  ["presto-rotator", "get secrets/presto-token"],
  ["presto-rotator", "watch secrets/presto-token"],
  ["presto-rotator", "update secrets/presto-token"],
  ["presto-rotator", "get secrets/presto-account"],
  ["presto-rotator", "watch secrets/presto-account"],
  ["presto-rotator", "update secrets/presto-account"],
  ["presto-rotator", "get leases/presto-token"],
  ["presto-rotator", "update leases/presto-token"],
  ["presto-rotator", "create leases/presto-token"],
];

describe("each right that is taken away is missed", () => {
  function rightOf(member: Member, text: string): GivenRight {
    const role = member === "wallet" ? "presto-proxy" : "presto-rotator";
    const found = fleet
      .rights()
      .find(({ role: of, verb, resource, name }) => of === role && text === `${verb} ${resource}/${name}`);
    if (found === undefined) throw new Error(`no right ${text}`);
    return found;
  }

  it.each(missing)("by the doctor, with the line that grants it: %s, %s", async (member, text) => {
    const right = rightOf(member, text);
    await fleet.giveAllBut(right);
    const { verb, resource, name } = right;
    const [check, noun, of, suffix] =
      resource === "leases"
        ? (["lock", "Lease", "leases.coordination.k8s.io", "-lease"] as const)
        : (["store-rights", "Secret", "secrets", ""] as const);
    const row = await until(
      async () => {
        const found = await rowOf(member, check);
        return found.result === "OK" ? undefined : found;
      },
      { ...patience, what: "doctor misses it" },
    );
    const role = `${name}${suffix}-${verb}`;
    expect(row).toMatchObject({
      result: verb === "watch" ? "WARN" : "FAIL",
      detail: expect.stringContaining(
        `system:serviceaccount:payments:${member} lacks the right to ${verb} the ${noun} payments/${name}`,
      ),
      mend: `Grant it: kubectl create role ${role} -n payments --verb=${verb} --resource=${of} --resource-name=${name} && kubectl create rolebinding ${role} -n payments --role=${role} --serviceaccount=payments:${member}`,
    });
  });

  it("by the sidecar that needs it: up, not ready, and the line in its readiness", async () => {
    await importAsOperator(sandbox.token);
    await fleet.giveAllBut(rightOf("wallet", "get secrets/presto-token"));
    await until(
      async () =>
        (await fleet.ask("wallet", "GET", `${core}/secrets/presto-token`)).status === 403 ? true : undefined,
      {
        ...patience,
        what: "the right is gone",
      },
    );
    start("wallet");
    const told = await until(
      async () => {
        const { text } = await ask(join(folder, "wallet-admin"), "/readyz?verbose");
        return text.includes("lacks the right to get it. Grant it: kubectl create role presto-token-get")
          ? text
          : undefined;
      },
      { ...patience, what: "it says so" },
    );
    expect(told).toContain("[-]token");
    await fleet.giveAllBut(undefined);
    await ready("wallet");
  });

  it.each([
    ["update secrets/presto-token", ["token", "import"], "a-token"],
    ["get secrets/presto-token", ["token", "import"], "a-token"],
    [
      "update secrets/presto-account",
      ["credentials", "import"],
      '{"email":"ops@bank.example","password":"Passw0rd-of-the-account"}',
    ],
    [
      "get secrets/presto-account",
      ["credentials", "import"],
      '{"email":"ops@bank.example","password":"Passw0rd-of-the-account"}',
    ],
    ["get leases/presto-token", ["token", "import"], "a-token"],
    ["update leases/presto-token", ["token", "import"], "a-token"],
    ["create leases/presto-token", ["token", "import"], "a-token"],
  ] as const)("by the command that needs it, with 77: %s", async (text, argv, stdin) => {
    const right = rightOf("presto-rotator", text);
    // One that is there need not be made.
    await kube.admin("DELETE", `${leases}/presto-token`);
    if (text === "update leases/presto-token")
      await run("presto-rotator", ["token", "import"], sandbox.token);
    await fleet.giveAllBut(right);
    const said = await until(
      async () => {
        const { code, err } = await run("presto-rotator", argv, stdin);
        return code === 0 ? undefined : { code, err };
      },
      { ...patience, what: "it is refused" },
    );
    expect(said).toEqual({
      code: 77,
      err: expect.stringMatching(
        new RegExp(
          `lacks the right to ${right.verb} it\\. Grant it: kubectl create role ${right.name}(-lease)?-${right.verb} -n payments --verb=${right.verb} --resource=${right.resource}\\S* --resource-name=${right.name} `,
        ),
      ),
    });
  });
});
