import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import { emptyRecord, encodeRecord } from "../../src/store/record.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, type IssuingBench, liveRecord } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { type Refusal, refuse, type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { until } from "../support/until.ts";

// What an API server answers within a minute of its start, or while rights spread: it passes, and costs nothing.

const refusals: readonly (readonly [string, Refusal, RegExp])[] = [
  ["401", [401, "Unauthorized", {}, "Unauthorized"], /does not accept the credentials of this process/],
  [
    "403",
    [403, "Forbidden", {}, 'User "system:serviceaccount:presto:app" cannot get resource "secrets"'],
    /lacks the right to get it\. Grant it: kubectl create role/,
  ],
  ["500", [500, "InternalError", {}, "etcdserver: no leader"], /the API server failed \(500\)/],
];
const passing = /\(within a minute of the API server's start, or of a grant, this passes by itself\)/;

let api: StandInApi;
let bench: IssuingBench;
let folder: string;

beforeEach(async () => {
  api = await startStandInApi();
  bench = await createIssuingBench({ stored: "none", sandbox: { issuedAgoMs: 3_600_000 } });
  folder = mkdtempSync(join(tmpdir(), "kubernetes-refusals-"));
  writeFileSync(join(folder, "kubeconfig"), api.kubeconfig());
});
afterEach(async () => {
  await bench.close();
  await api.close();
  rmSync(folder, { recursive: true });
});

const store = () => ({
  PRESTO_STORE: "kubernetes:presto/token",
  PRESTO_STORE_KEY: undefined,
  KUBECONFIG: join(folder, "kubeconfig"),
});
const asProxy = () => ({
  ...store(),
  PRESTO_ROLE: "proxy",
  PRESTO_EMAIL: undefined,
  PRESTO_PASSWORD: undefined,
});
const asRotator = () => ({ ...store(), PRESTO_ROLE: "rotator", PRESTO_LISTEN: undefined });

function put(differences: Partial<TokenRecord> = liveRecord(bench.sandbox)): void {
  const bytes = encodeRecord({ ...emptyRecord, ...differences });
  api.put("token", { record: Buffer.from(bytes).toString("base64") });
}

function answer(refusal: Refusal): void {
  api.override = (_seen, response) => {
    refuse(response, ...refusal);
    return true;
  };
}

async function says(sidecar: IssuingSidecar, holds: (text: string) => boolean): Promise<string> {
  let text = "";
  return until(
    async () => {
      text = (await sidecar.readyz(true)).body;
      return holds(text) ? text : undefined;
    },
    { withinMs: 30_000, what: () => `its readiness says so: ${text}` },
  );
}

describe.each(refusals)("%s", (_name, refusal, cause) => {
  it("at the start of a proxy: up, told as passing and by its cause, ready within 2 s of its end", async () => {
    put();
    answer(refusal);
    const proxy = await bench.start({ env: asProxy() });
    const told = await says(proxy, (text) => cause.test(text));
    expect(told).toMatch(passing);
    expect((await proxy.readyz()).status).toBe(503);
    api.override = undefined;
    await until(async () => ((await proxy.readyz()).status === 200 ? true : undefined), {
      // By a busy machine; a look that is not urgent would come 5 s later.
      withinMs: 4_500,
      what: () => `it is ready: ${proxy.log()}`,
    });
    expect((await proxy.call()).status).toBe(200);
  });

  it("while a proxy serves: the token in hand goes on, and what was missed is followed", async () => {
    put();
    const proxy = await bench.start({ env: asProxy() });
    await says(proxy, (text) => text.includes("[+]token"));
    answer(refusal);
    api.endWatches("cut");
    put({ ...liveRecord(bench.sandbox), token: new Secret("another-token"), generation: 2 });
    await until(async () => (cause.test(JSON.stringify(await proxy.status())) ? true : undefined), {
      withinMs: 30_000,
      what: () => `it says so: ${proxy.log()}`,
    });
    expect((await proxy.call()).status).toBe(200);
    expect((await proxy.readyz()).status).toBe(200);
    api.override = undefined;
    await until(async () => (Object(await proxy.status()).generation === 2 ? true : undefined), {
      withinMs: 30_000,
      what: "it follows",
    });
  });

  it("at the start of a rotator: nothing is issued meanwhile, one token is after it, and no latch is left", async () => {
    api.put("token", {});
    answer(refusal);
    const rotator = await bench.start({ env: asRotator() });
    expect(await says(rotator, (text) => cause.test(text))).toMatch(passing);
    expect(bench.issues()).toBe(0);
    api.override = undefined;
    await until(async () => ((await rotator.readyz()).status === 200 ? true : undefined), {
      withinMs: 30_000,
      what: () => `it is ready: ${rotator.log()}`,
    });
    expect(bench.issues()).toBe(1);
    expect((await rotator.readyz(true)).body).not.toMatch(/\[[!-]\]/);
  });

  it("while a rotator writes: the intent that was refused is followed by no call", async () => {
    put();
    const rotator = await bench.start({ env: asRotator() });
    await says(rotator, (text) => text.includes("[+]token"));
    api.override = (seen, response) => {
      if (seen.method !== "PUT" || !seen.url.pathname.includes("/secrets/")) return false;
      refuse(response, ...refusal);
      return true;
    };
    expect(await rotator.renew()).toMatchObject({
      status: 503,
      body: { code: "unreachable", detail: expect.stringMatching(/could not be written/) },
    });
    expect(bench.issues()).toBe(0);
    api.override = undefined;
    expect(await rotator.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(bench.issues()).toBe(1);
  });

  it("that lasts is told by its cause alone, as soon as a minute is over", async () => {
    put();
    answer(refusal);
    const factor = 10;
    const proxy = await bench.start({ env: asProxy(), clock: createFastClock(factor) });
    await says(proxy, (text) => cause.test(text) && passing.test(text));
    expect(await says(proxy, (text) => cause.test(text) && !passing.test(text))).toContain("[-]token");
    const lines = proxy.lines().filter((line) => cause.test(JSON.stringify(line)));
    // Told anew in the log, though it is told once a minute at most.
    expect(lines.some((line) => passing.test(JSON.stringify(line)))).toBe(true);
    expect(lines.some((line) => !passing.test(JSON.stringify(line)))).toBe(true);
  });
});
