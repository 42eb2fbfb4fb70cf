import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { runCli } from "../support/built-cli.ts";
import { startBuilt } from "../support/built-sidecar.ts";
import { createIssuingBench, type IssuingBench, issuePath } from "../support/issuing-bench.ts";
import type { IssuingProgram } from "../support/issuing-program.ts";
import { refuse, type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { until } from "../support/until.ts";

/** A busy machine starts a process in seconds. */
const patience = { withinMs: 60_000, everyMs: 20 };

describe("two rotators of the built program over one Secret and one Lease", () => {
  let api: StandInApi;
  let bench: IssuingBench;
  let folder: string;
  beforeAll(async () => {
    api = await startStandInApi();
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    bench = await createIssuingBench({ stored: "none" });
    folder = mkdtempSync(join(tmpdir(), "rotators-"));
    writeFileSync(join(folder, "kubeconfig"), api.kubeconfig());
    api.put("token", { other: "eA==" });
  });
  afterEach(async () => {
    api.override = undefined;
    api.seen.length = 0;
    await bench.close();
    api.remove("token");
    api.leases.remove("token");
    rmSync(folder, { recursive: true });
  });

  const cluster = (): Record<string, string | undefined> => ({
    PRESTO_STORE: "kubernetes:presto/token",
    PRESTO_STORE_KEY: undefined,
    KUBECONFIG: join(folder, "kubeconfig"),
  });

  function rotator(name: string, more: Readonly<Record<string, string>> = {}): Promise<IssuingProgram> {
    return bench.serve(
      {
        ...cluster(),
        PRESTO_ROLE: "rotator",
        PRESTO_LISTEN: undefined,
        POD_NAMESPACE: "presto",
        POD_NAME: name,
        PRESTO_PROBE_EVERY: "1s",
        // An issue call is held while programs start, and waits for them.
        PRESTO_TIMEOUT: "100s",
        ...more,
      },
      startBuilt(),
    );
  }

  async function says(sidecar: IssuingProgram, what: string, expected: object): Promise<void> {
    let seen: unknown;
    await until(
      async () => {
        seen = await sidecar.status();
        try {
          expect(seen).toMatchObject(expected);
          return true;
        } catch {
          return undefined;
        }
      },
      { ...patience, what: () => `${what}: ${JSON.stringify(seen)}` },
    );
  }

  const holder = (): unknown => api.leases.spec("token")?.["holderIdentity"];

  it("issue one first token, are ready both, follow each other's renewals, and give the Lease back", async () => {
    const [a, b] = [await rotator("a"), await rotator("b")];
    for (const each of [a, b]) {
      await says(each, "generation 1", { generation: 1, role: "rotator", ready: true });
      expect((await each.readyz()).status).toBe(200);
    }
    expect(bench.issues()).toBe(1);
    expect(api.secret("token")?.data).toMatchObject({ other: "eA==", record: expect.any(String) });
    // Whoever waited for the first one has the Lease for a moment, to see that nothing is left to do.
    await until(() => (holder() === "" ? true : undefined), { ...patience, what: "it is given back" });
    for (const each of [a, b]) await says(each, "it rests", { renewal: { state: "idle" } });
    const renewed = await a.renew();
    expect(renewed).toMatchObject({ status: 200, body: { generation: 2 } });
    await says(b, "the standby follows", { generation: 2 });
    expect(bench.issues()).toBe(2);
    await until(() => (holder() === "" ? true : undefined), { ...patience, what: "it is given back" });
    for (const each of [a, b])
      await says(each, "at rest nobody holds it", {
        renewal: { state: "idle", lock: { name: "Lease presto/token", holder: null, ours: false } },
      });
    // At rest nothing is written to it, and nobody asks.
    await pause(1_000);
    const before = api.seen.length;
    await pause(3_000);
    const since = api.seen.slice(before).map(({ method, url }) => `${method} ${url.pathname}`);
    expect(since.filter((each) => each.includes("/leases/"))).toEqual([]);
  });

  it("replace a token that somebody else killed, once, by their own probes", async () => {
    // One whose first 30 s are over.
    await bench.close();
    bench = await createIssuingBench({ stored: "none", sandbox: { issuedAgoMs: 3_600_000 } });
    const both = [await rotator("a"), await rotator("b")];
    for (const each of both) await says(each, "generation 1", { generation: 1 });
    bench.sandbox.revokeToken();
    for (const each of both) await says(each, "generation 2", { generation: 2 });
    expect(bench.issues()).toBe(2);
  });

  it("send a person's wish on to the Pod that holds the Lease, by listener and command", async () => {
    const a = await rotator("a");
    await says(a, "generation 1", { generation: 1 });
    const hold = bench.sandbox.setFault({ kind: "hold", path: issuePath });
    const renewing = a.renew("?wait=5m");
    await until(() => (bench.issues() === 2 ? true : undefined), { ...patience, what: "it issues" });
    await says(a, "it says that it holds it", {
      renewal: { lock: { name: "Lease presto/token", holder: "This process", ours: true } },
    });
    expect(holder()).toMatch(/^presto\/a_[0-9a-f-]{36}$/);

    const b = await rotator("b");
    const answer = await b.renew("?force=1");
    expect(answer).toMatchObject({
      status: 503,
      body: {
        code: "lock-held",
        detail: expect.stringContaining("The Pod presto/a holds the renewal lock"),
        pod: "presto/a",
      },
    });
    expect(answer.head).toContain("retry-after: 5");
    await says(b, "it says who holds it", {
      renewal: { state: "locking", lock: { holder: "The Pod presto/a", ours: false } },
    });
    expect(await b.metrics()).toContain(
      'presto_sidecar_renewal_lock{lock="Lease presto/token",holder="The Pod presto/a"} 0',
    );
    const env = {
      ...bench.env(cluster()),
      PRESTO_ROLE: "rotator",
      PRESTO_CONTROL_LISTEN: `127.0.0.1:${b.controlPort}`,
      PRESTO_ADMIN_LISTEN: `127.0.0.1:${b.adminPort}`,
    };
    expect(await runCli(["token", "renew"], { env })).toMatchObject({
      code: 75,
      err: expect.stringContaining("kubectl exec -n presto a -- presto-sidecar token renew"),
    });
    const imported = await runCli(["token", "import"], { env, stdin: "another-token" });
    expect(imported.code).toBe(75);
    expect(imported.err).toMatch(
      /renewal is under way|The Pod presto\/a holds the lock, the Lease presto\/token/,
    );
    expect((await runCli(["status"], { env })).out).toContain(
      "now locking; The Pod presto/a holds the lock (Lease presto/token)",
    );

    hold.remove();
    expect(await renewing).toMatchObject({ status: 200, body: { generation: 2 } });
    await says(b, "nothing stays due", { generation: 2, renewal: { state: "idle" } });
    expect(bench.issues()).toBe(2);
    expect(b.log()).not.toContain('"to":"issuing"');
  });

  it("give the Lease back within 2 s of SIGTERM, and the other takes over", async () => {
    const a = await rotator("a");
    await says(a, "generation 1", { generation: 1 });
    // Its intent stands, and it looks whether its call was executed.
    const fault = bench.sandbox.setFault({ kind: "reset-before-reading", path: issuePath });
    const renewing = a.renew();
    renewing.catch(() => {});
    await says(a, "it settles", { renewal: { state: "settling", lock: { ours: true } } });
    const b = await rotator("b");
    await says(b, "it waits", { renewal: { lock: { holder: "The Pod presto/a" } } });
    const asked = performance.now();
    a.kill("SIGTERM");
    await until(() => (String(holder()).startsWith("presto/a_") ? undefined : true), {
      // By a busy machine; left behind it would last 45 s.
      withinMs: 15_000,
      what: () => `it is given back: ${a.log()}`,
    });
    fault.remove();
    await until(() => (String(holder()).startsWith("presto/b_") ? true : undefined), {
      ...patience,
      what: "the other takes it",
    });
    expect(performance.now() - asked).toBeLessThan(25_000);
    await says(b, "it settles what was left", { renewal: { state: "idle" } });
    expect(await a.ended).toBe(0);
  });

  it("do without a Lease where the record's intent is the lock: one call, and the other is named", async () => {
    const lock = { PRESTO_LOCK: "store" };
    const both = [await rotator("a", lock), await rotator("b", lock)];
    for (const each of both) await says(each, "generation 1", { generation: 1, ready: true });
    expect(bench.issues()).toBe(1);
    const [a, b] = both;
    const hold = bench.sandbox.setFault({ kind: "hold", path: issuePath });
    const renewing = a?.renew("?wait=5m");
    await until(() => (bench.issues() === 2 ? true : undefined), { ...patience, what: "it issues" });
    expect(await b?.renew("?wait=5m")).toMatchObject({
      status: 503,
      body: { code: "lock-held", pod: "presto/a" },
    });
    hold.remove();
    expect(await renewing).toMatchObject({ status: 200, body: { generation: 2 } });
    for (const each of both) await says(each, "generation 2", { generation: 2, renewal: { state: "idle" } });
    expect(bench.issues()).toBe(2);
    expect(api.seen.filter(({ url }) => url.pathname.includes("/leases/"))).toEqual([]);
  });

  it("say which right is missing, and are there as soon as it is granted", async () => {
    api.override = (seen, response) => {
      if (!seen.url.pathname.includes("/leases/")) return false;
      refuse(response, 403, "Forbidden", {}, 'User "jane" cannot get resource "leases"');
      return true;
    };
    const a = await rotator("a");
    await until(
      async () => ((await a.readyz(true)).body.includes("lacks the right to get it") ? true : undefined),
      {
        ...patience,
        what: () => `it says so: ${a.log()}`,
      },
    );
    api.override = undefined;
    await says(a, "generation 1", { generation: 1 });
  });
});
