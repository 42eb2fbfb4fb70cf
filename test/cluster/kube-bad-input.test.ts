import { writeFile } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { ask, askForNone } from "../support/ask.ts";
import { runCli } from "../support/built-cli.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { until } from "../support/until.ts";
import { makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

// What people get wrong with the token in a Secret, by the built program and a real API server: each is told in
// a sentence that says what to run, and nothing is overwritten.

let kube: KubeServer;
let sandbox: Sandbox;
let stage: ProgramStage;
let name: string;
let serial = 0;

beforeAll(async () => {
  [kube, sandbox] = [await startKubeServer(), createSandbox()];
  await sandbox.start();
  await makeNamespace(kube, "presto");
});
afterAll(async () => {
  await sandbox.close();
  await kube.close();
});
beforeEach(async () => {
  serial += 1;
  name = `token-${serial}`;
  stage = await openProgramStage(sandbox, {
    PRESTO_STORE: `kubernetes:presto/${name}`,
    KUBECONFIG: kube.kubeconfig,
  });
});
afterEach(() => stage.close());

const path = (secret = name): string => `/api/v1/namespaces/presto/secrets/${secret}`;

async function importToken(): Promise<void> {
  expect(await stage.run(["token", "import"], {}, sandbox.token)).toMatchObject({ code: 0, err: "" });
}

async function findingOf(check: string, more: Record<string, string> = {}) {
  return (await stage.doctor(more)).of(check);
}

it("no such namespace: the line that makes it", async () => {
  const nowhere = { PRESTO_STORE: "kubernetes:nowhere/token" };
  expect(await stage.run(["token", "import"], nowhere, "a-token")).toMatchObject({
    code: 77,
    err: expect.stringContaining(
      "there is no namespace nowhere. Make it, or mend the address: kubectl create namespace nowhere",
    ),
  });
  expect(await findingOf("store-object", nowhere)).toMatchObject({
    result: "FAIL",
    mend: "Make it, or mend the address: kubectl create namespace nowhere",
  });
});

it("no such Secret: up, not ready, and the line that makes it; ready when it is there", async () => {
  stage.start();
  expect(await stage.readinessSays("There is no Secret")).toContain(
    `[-]token: The store holds no token yet. There is no Secret presto/${name}. Make it, empty: kubectl create secret generic ${name} -n presto`,
  );
  expect(await findingOf("store-object")).toMatchObject({
    result: "WARN",
    mend: `Make it, empty: kubectl create secret generic ${name} -n presto`,
  });
  // Whoever may create Secrets has it made.
  await importToken();
  await stage.ready();
  const { json } = await kube.admin("GET", path());
  expect(json).toMatchObject({ metadata: { annotations: { "reloader.stakater.com/ignore": "true" } } });
});

it("no such key: which there are, and how a token gets there", async () => {
  await makeSecret(kube, "presto", name, { data: { token: "eA==" } });
  stage.start();
  expect(await stage.readinessSays("has no key")).toContain(
    `The Secret presto/${name} has no key record; it has token. Put one in with: presto-sidecar token import`,
  );
  expect(await stage.run(["token", "show"])).toMatchObject({
    code: 66,
    err: expect.stringContaining("presto-sidecar token import"),
  });
});

it("edited by hand into nonsense while it serves: nothing is overwritten, the token in hand goes on", async () => {
  await makeSecret(kube, "presto", name);
  await importToken();
  stage.start();
  await stage.ready();
  const nonsense = Buffer.from("MARKED nonsense").toString("base64");
  await kube.admin("PATCH", path(), { data: { record: nonsense } });
  await until(
    async () =>
      /is damaged/.test(String(Object((await stage.status())["store_state"]).failure)) ? true : undefined,
    { ...patience, what: "it says so" },
  );
  expect(await askForNone(stage.at("proxy"))).toBe(404);
  expect((await ask(stage.at("admin"), "/readyz")).status).toBe(200);
  expect(await findingOf("store")).toMatchObject({
    result: "FAIL",
    mend: expect.stringContaining("the token in hand goes on serving"),
  });
  const refused = await stage.run(["token", "import"], {}, sandbox.token);
  expect(refused.code).toBe(78);
  expect(refused.err).not.toContain("MARKED");
  expect((await kube.admin("GET", path())).json).toMatchObject({ data: { record: nonsense } });
  // As the doctor says: the key is taken out, and the token imported anew.
  await kube.admin("PATCH", path(), { data: { record: null } });
  await importToken();
  await until(
    async () => (Object((await stage.status())["store_state"]).failure === null ? true : undefined),
    {
      ...patience,
      what: "it reads again",
    },
  );
});

it("both in one Secret: proxies could read the account", async () => {
  const same = {
    PRESTO_ROLE: "rotator",
    PRESTO_CREDENTIALS: `kubernetes:presto/${name}?key=account`,
  };
  for (const argv of [["start"], ["check"], ["credentials", "import"]]) {
    expect(await stage.run(argv, same, "{}")).toMatchObject({
      code: 78,
      err: expect.stringContaining(
        "names the Secret of PRESTO_STORE, which every proxy may read whole, whatever the key; give it a Secret of its own",
      ),
    });
  }
});

it("what kubectl apply has left in clear: import and doctor say so, with the line that takes it away", async () => {
  const annotation = "kubectl.kubernetes.io/last-applied-configuration";
  await makeSecret(kube, "presto", name, {
    metadata: { name, namespace: "presto", annotations: { [annotation]: '{"data":{"token":"TUFSS0VE"}}' } },
  });
  const line = `kubectl annotate secret ${name} -n presto ${annotation}-`;
  const imported = await stage.run(["token", "import"], {}, sandbox.token);
  expect([imported.code, imported.err]).toEqual([0, expect.stringContaining(line)]);
  expect(await findingOf("store-object")).toMatchObject({
    result: "WARN",
    mend: expect.stringContaining(line),
  });
  await kube.admin("PATCH", path(), { metadata: { annotations: { [annotation]: null } } });
  expect(await findingOf("store-object")).toMatchObject({ result: "OK" });
});

it("a clock that is an hour off: it serves and follows, and doctor says how far it is off", async () => {
  await makeSecret(kube, "presto", name);
  await importToken();
  const shift = stage.at("shift.mjs");
  await writeFile(shift, "const now = Date.now; Date.now = () => now() + 3_600_000;\n");
  stage.start({}, { nodeArgs: ["--import", shift] });
  await stage.ready();
  const env = stage.environment();
  await runCli(["token", "import"], { env, stdin: sandbox.mintToken().token });
  await until(async () => ((await stage.status())["generation"] === 2 ? true : undefined), {
    ...patience,
    what: "it follows",
  });
  expect(await askForNone(stage.at("proxy"))).toBe(404);
  const { out } = await runCli(["doctor", "--json"], { env, nodeArgs: ["--import", shift] });
  const rows: readonly { readonly check: string }[] = JSON.parse(out);
  expect(rows.find(({ check }) => check === "store-clock")).toMatchObject({
    result: "WARN",
    detail: expect.stringMatching(/^This machine's clock is 3(599|600|601) s ahead of the store server's\.$/),
    mend: expect.stringContaining("NTP"),
  });
});

it("a Lease that something else holds: nothing is stored, and it is said by what", async () => {
  await makeSecret(kube, "presto", name);
  const lease = "/apis/coordination.k8s.io/v1/namespaces/presto/leases";
  const held = {
    metadata: { name },
    spec: { holderIdentity: "some-operator", leaseDurationSeconds: 3_600 },
  };
  expect((await kube.admin("POST", lease, held)).status).toBe(201);
  expect(await stage.run(["token", "import"], {}, "a-token")).toMatchObject({
    code: 75,
    err: expect.stringMatching(
      new RegExp(
        `"some-operator", which is no presto-sidecar, holds the lock, the Lease presto/${name}\\..*name another Lease in PRESTO_LOCK`,
      ),
    ),
  });
  expect((await kube.admin("GET", path())).json).not.toHaveProperty("data");
  const issuing = { PRESTO_ROLE: "rotator", PRESTO_CREDENTIALS: `kubernetes:presto/${name}-account` };
  expect(await findingOf("lock", issuing)).toMatchObject({
    result: "WARN",
    detail: expect.stringContaining('"some-operator", which is no presto-sidecar, holds the lock'),
    mend: expect.stringContaining(`kubectl get lease ${name} -n presto -o yaml`),
  });
  expect((await kube.admin("GET", `${lease}/${name}`)).json).toMatchObject({ spec: held.spec });
});
