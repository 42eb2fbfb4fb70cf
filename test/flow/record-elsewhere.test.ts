import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Home, TokenRecord } from "../../src/store/contract.ts";
import { decodeRecord, emptyRecord, encodeRecord } from "../../src/store/record.ts";
import { createIssuingBench, type IssuingBench, liveRecord } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { parseExposition } from "../support/parse-exposition.ts";
import { type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { until } from "../support/until.ts";

// Rules 10 and 11 of the renewal protocol, as a person meets them: by HTTP, in the log and in the metrics.

const patience = { withinMs: 40_000 };
let api: StandInApi;
let bench: IssuingBench;
let folder: string;

beforeEach(async () => {
  api = await startStandInApi();
  bench = await createIssuingBench({ stored: "none", sandbox: { issuedAgoMs: 3_600_000 } });
  folder = mkdtempSync(join(tmpdir(), "record-elsewhere-"));
  writeFileSync(join(folder, "kubeconfig"), api.kubeconfig());
  api.put("token", {});
});
afterEach(async () => {
  await bench.close();
  await api.close();
  rmSync(folder, { recursive: true });
});

function start(role: "rotator" | "all"): Promise<IssuingSidecar> {
  return bench.start({
    env: {
      PRESTO_STORE: "kubernetes:presto/token",
      PRESTO_STORE_KEY: undefined,
      KUBECONFIG: join(folder, "kubeconfig"),
      PRESTO_ROLE: role,
      PRESTO_PROBE_EVERY: "1s",
      PRESTO_SETTLE: "1s",
    },
  });
}

const own = (): Home => ({ uid: String(api.secret("token")?.metadata["uid"]), name: "token" });
const elsewhere: Home = { uid: "of-another-site", name: "token" };

/** As somebody puts a record there who is none of ours. */
function put(differences: Partial<TokenRecord>): void {
  const record = { ...emptyRecord, ...liveRecord(bench.sandbox), ...differences };
  const managedFields = [
    {
      manager: "velero-server",
      operation: "Update",
      time: "2026-11-24T02:00:00Z",
      fieldsV1: { "f:data": { "f:record": {} } },
    },
  ];
  const metadata = { ...api.secret("token")?.metadata, managedFields };
  api.put("token", { record: Buffer.from(encodeRecord(record)).toString("base64") }, { metadata });
}

function stored(): TokenRecord {
  const text = Buffer.from(api.secret("token")?.data?.["record"] ?? "", "base64").toString();
  return decodeRecord(JSON.parse(text));
}

async function metric(sidecar: IssuingSidecar, name: string): Promise<number | undefined> {
  return parseExposition(await sidecar.metrics()).value(`presto_sidecar_renewal_${name}`);
}

async function untilVerbose(sidecar: IssuingSidecar, says: RegExp): Promise<string> {
  let text = "";
  return until(
    async () => {
      text = (await sidecar.readyz(true)).body;
      return says.test(text) ? text : undefined;
    },
    { ...patience, what: () => `${String(says)} in ${text}` },
  );
}

const linesOf = (sidecar: IssuingSidecar, words: string) =>
  sidecar.lines().filter(({ msg }) => typeof msg === "string" && msg.includes(words));

describe("a record that was written for another object", () => {
  it.each(["rotator", "all"] as const)(
    "blocks a %s that remembers none: 409, a latch that closes nothing, and not a write",
    async (role) => {
      put({ home: elsewhere });
      const before = api.secret("token");
      const sidecar = await start(role);
      await untilVerbose(sidecar, /\[!\]record-elsewhere: .*uid "of-another-site"/);
      expect((await sidecar.readyz()).status).toBe(200);
      expect(await metric(sidecar, "record_elsewhere")).toBe(1);
      expect(await sidecar.status()).toMatchObject({
        renewal: { record_elsewhere: expect.stringContaining("token renew --force") },
      });
      const refused = await sidecar.renew();
      expect(refused).toMatchObject({
        status: 409,
        body: { code: "record-elsewhere", detail: expect.stringContaining("written for another object") },
      });
      expect(refused.head).not.toContain("retry-after");
      // Not even for a token that is dead.
      bench.sandbox.revokeToken();
      await new Promise((resolve) => {
        setTimeout(resolve, 4_000);
      });
      expect(bench.issues()).toBe(0);
      expect(api.secret("token")).toEqual(before);
      // A lock would keep out a rotator of the other home that remembers.
      expect(api.leases.spec("token")?.["holderIdentity"] ?? "").toBe("");
      expect(linesOf(sidecar, "is another side's")).toHaveLength(1);
      expect(linesOf(sidecar, "is another side's")[0]).toMatchObject({ level: "warn", audit: true });
    },
  );

  it("is taken as one's own by a person's force, and by nothing else", async () => {
    put({ home: elsewhere });
    const sidecar = await start("rotator");
    await untilVerbose(sidecar, /\[!\]record-elsewhere/);
    expect(await sidecar.renew("?force=1")).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(bench.issues()).toBe(1);
    expect(stored()).toMatchObject({ home: own(), intent: null });
    expect(stored().token?.reveal()).toBe(bench.sandbox.token);
    await untilVerbose(sidecar, /^(?![^]*\[!\]record-elsewhere)/);
    expect(await metric(sidecar, "record_elsewhere")).toBe(0);
    expect(linesOf(sidecar, "this side's own again")).toHaveLength(1);
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 3 } });
  });

  it("is written over by a rotator that remembers the token that lives, with its own home and no issue", async () => {
    put({ home: own() });
    const sidecar = await start("rotator");
    await untilVerbose(sidecar, /\[\+\]token/);
    // Proved alive while it stood in a record of this home: a probe was answered, and the next one is under way.
    const probes = (): number =>
      bench.sandbox
        .received()
        .filter(({ rawHeaders }) => rawHeaders.includes(`Bearer ${bench.sandbox.token}`)).length;
    const before = probes();
    await until(() => (probes() >= before + 2 ? true : undefined), {
      ...patience,
      what: () => `two probes: ${sidecar.log()}`,
    });
    put({ home: elsewhere, generation: 7 });
    await until(() => (stored().home?.["uid"] === own()["uid"] ? true : undefined), {
      ...patience,
      what: () => `it is written back: ${sidecar.log()}`,
    });
    expect(stored()).toMatchObject({ generation: 8, home: own() });
    expect(stored().token?.reveal()).toBe(bench.sandbox.token);
    expect(bench.issues()).toBe(0);
  });
});

describe("a record that was put back", () => {
  it.each([
    [
      "with a token that is dead",
      () => put({ home: own(), token: null, generation: 0 }),
      /Another record had been put/,
    ],
    ["that is gone", () => api.put("token", {}), /had been taken away/],
  ] as const)(
    "%s: the one that lives is written back, and it is told who wrote",
    async (_what, spoil, says) => {
      const sidecar = await start("rotator");
      await until(async () => (linesOf(sidecar, "A new token is stored.").length > 0 ? true : undefined), {
        ...patience,
        what: () => `the first is stored: ${sidecar.log()}`,
      });
      const { token } = bench.sandbox;
      spoil();
      await until(async () => ((await metric(sidecar, "records_put_back_total")) === 1 ? true : undefined), {
        ...patience,
        what: () => `it is written back: ${sidecar.log()}`,
      });
      expect(stored().token?.reveal()).toBe(token);
      expect(stored().home).toEqual(own());
      expect(bench.issues()).toBe(1);
      const line = sidecar.lines().find(({ msg }) => says.test(String(msg)));
      expect(line).toMatchObject({ level: "warn", audit: true, generation: stored().generation });
      if (_what !== "that is gone")
        expect(line).toMatchObject({ last_writer: '"velero-server" at 2026-11-24T02:00:00Z' });
      expect(sidecar.log()).not.toContain(token);
      expect((await sidecar.readyz(true)).body).not.toContain("[!]");
    },
  );
});
