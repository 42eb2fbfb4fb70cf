import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import { ask, statusOf } from "../support/ask.ts";
import { runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import { createCallerLog } from "../support/caller-log.ts";
import { judgeCalls } from "../support/judge-calls.ts";
import { type LoadCallers, startCallers } from "../support/load-callers.ts";
import { issuePath } from "../support/token-host.ts";
import { until } from "../support/until.ts";
import { type AppliedFleet, applyFleet } from "./kube/applied-fleet.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

// "From a hand-fed Secret, without a failed call" of docs/kubernetes.md, step by step, under load.

const patience = { withinMs: 60_000, everyMs: 50 };
const pods = [1, 2, 3];
let kube: KubeServer;
let sandbox: Sandbox;
let fleet: AppliedFleet;
let folder: string;
const running: RunningCli[] = [];
const loads = new Map<string, LoadCallers>();

beforeAll(async () => {
  [kube, sandbox] = [await startKubeServer(), createSandbox({ issuedAgoMs: 60 * 60_000 })];
  await sandbox.start();
  fleet = await applyFleet(kube);
});
afterAll(async () => {
  await sandbox.close();
  await kube.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kube-migration-"));
  await writeFile(at("ca.pem"), sandbox.caPem);
  await writeFile(at("token"), sandbox.token);
});
afterEach(async () => {
  await Promise.all([...loads.values()].map(({ stop }) => stop()));
  for (const { child, ended } of running.splice(0)) {
    child.kill("SIGKILL");
    await ended;
  }
  await rm(folder, { recursive: true });
});

const at = (name: string): string => join(folder, name);

function listeners(id: string): Record<string, string> {
  return {
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: at("ca.pem"),
    PRESTO_ADMIN_LISTEN: `unix:${at(`${id}-admin`)}`,
    PRESTO_CONTROL_LISTEN: `unix:${at(`${id}-control`)}`,
  };
}

function start(env: Readonly<Record<string, string>>): RunningCli {
  const started = startCli(["start"], { env });
  running.push(started);
  return started;
}

async function ready(id: string): Promise<void> {
  await until(async () => ((await ask(at(`${id}-admin`), "/readyz")).status === 200 ? true : undefined), {
    ...patience,
    what: () => `${id} is ready: ${running.map(({ out, err }) => (out() + err()).slice(-500)).join("")}`,
  });
}

it("takes a fleet under load from a token that was fed by hand to one that is renewed, and no call fails", async () => {
  const log = createCallerLog();
  const callers = (id: string): void =>
    void loads.set(id, startCallers({ proxy: at(`${id}-proxy`), callers: 4, restMs: 20, log }));
  const served = async (): Promise<void> => void (await log.servedAfter(performance.now()));
  const [wallet, rotator] = [await fleet.kubeconfig("wallet"), await fleet.kubeconfig("presto-rotator")];

  // Before: each Pod has the token as a file.
  const old = new Map<string, RunningCli>();
  for (const pod of pods) {
    const id = `old-${pod}`;
    const env = { PRESTO_TOKEN_FILE: at("token"), PRESTO_LISTEN: `unix:${at(`${id}-proxy`)}` };
    old.set(id, start({ ...listeners(id), ...env }));
    await ready(id);
    callers(id);
  }

  // 1: the rotators, frozen and without an account.
  const rotatorEnv = (id: string): Record<string, string> => ({
    ...fleet.environment("presto-rotator"),
    ...listeners(id),
    POD_NAME: id,
    KUBECONFIG: rotator,
    PRESTO_SETTLE: "2s",
  });
  const frozen = new Map(
    ["frozen-1", "frozen-2"].map((id) => [id, start({ ...rotatorEnv(id), PRESTO_RENEW: "manual" })]),
  );
  await until(async () => ((await ask(at("frozen-1-admin"), "/livez")).status === 200 ? true : undefined), {
    ...patience,
    what: "the rotators live",
  });

  // 2: by a pipe into a rotator's own environment, as `kubectl exec -i` has it.
  const exec = (argv: readonly string[], stdin = "", more: Readonly<Record<string, string>> = {}) =>
    runCli(argv, { env: { ...rotatorEnv("frozen-1"), ...more }, stdin });
  const manual = { PRESTO_RENEW: "manual" };
  const imported = await exec(["token", "import", "--expires", "2036-01-31"], `${sandbox.token}\n`, manual);
  expect(imported).toMatchObject({ code: 0 });
  expect(imported.out + imported.err).not.toContain(sandbox.token);
  const shown = await exec(["token", "show", "--json"], "", manual);
  expect(JSON.parse(shown.out)).toMatchObject({ generation: 1 });
  await served();

  // 3: one Pod after the other; the app's calls end with it.
  for (const pod of pods) {
    const id = `new-${pod}`;
    const env = { PRESTO_LISTEN: `unix:${at(`${id}-proxy`)}`, KUBECONFIG: wallet };
    start({ ...fleet.environment("wallet"), ...listeners(id), ...env });
    await ready(id);
    callers(id);
    await loads.get(`old-${pod}`)?.stop();
    const last = old.get(`old-${pod}`);
    last?.child.kill("SIGTERM");
    expect(await last?.ended).toBe(0);
  }
  const follow = async (generation: number): Promise<void> => {
    for (const pod of pods) {
      await until(
        async () => {
          const status = await statusOf(at(`new-${pod}-admin`));
          const isThere =
            status["generation"] === generation && Object(status["store_state"]).watch === "live";
          return isThere ? true : undefined;
        },
        { ...patience, what: `new-${pod} follows generation ${generation}` },
      );
    }
  };
  await follow(1);
  expect(sandbox.state().requests[`POST ${issuePath}`]).toBeUndefined();

  // 4: the account, and rotators that work.
  const stored = await exec(["credentials", "import"], JSON.stringify(sandbox.account), manual);
  expect(stored).toMatchObject({ code: 0 });
  for (const { child, ended } of frozen.values()) {
    child.kill("SIGTERM");
    await ended;
  }
  for (const id of ["rotator-1", "rotator-2"]) {
    start(rotatorEnv(id));
    await ready(id);
  }
  await served();

  // 5: the token that may lie anywhere is replaced.
  const byHand = sandbox.token;
  const renewed = await runCli(["token", "renew", "--wait", "60s"], { env: rotatorEnv("rotator-1") });
  expect([renewed.code, renewed.err]).toEqual([0, expect.not.stringContaining(byHand)]);
  await follow(2);
  await served();
  await Promise.all([...loads.values()].map(({ stop }) => stop()));

  expect(sandbox.token).not.toBe(byHand);
  const { json } = await kube.admin("GET", `/api/v1/namespaces/${fleet.namespace}/secrets/presto-token`);
  const record = JSON.parse(Buffer.from(Object(json).data.record, "base64").toString("utf8"));
  expect(new Secret(record.token).fingerprint()).toBe(new Secret(sandbox.token).fingerprint());
  expect(sandbox.state().requests[`POST ${issuePath}`]).toBe(1);
  expect(log.failed()).toEqual([]);
  const { confirms, transactions } = sandbox.state();
  expect(judgeCalls(log, { confirms, transactions })).toEqual([]);
  process.stdout.write(`served on the way: ${log.counts().served}\n`);
}, 180_000);
