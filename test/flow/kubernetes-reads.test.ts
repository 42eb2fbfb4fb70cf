import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { encodeRecord } from "../../src/store/record.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { type SeenRequest, type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { queryCall } from "../support/wallet-call.ts";
import { recordOf } from "../unit/store/records.ts";

// Rules P2, P5 and 12 of the renewal protocol: how a proxy follows a Secret.

let api: StandInApi;
let presto: RawPresto;
let folder: string;
let sidecar: RunningSidecar | undefined;
let live = "token-1";

beforeEach(async () => {
  [api, presto] = [await startStandInApi(), await startRawPresto()];
  folder = mkdtempSync(join(tmpdir(), "kubernetes-reads-"));
  writeFileSync(join(folder, "kubeconfig"), api.kubeconfig());
  live = "token-1";
  presto.answer((request) => {
    const isLive = request.header("authorization") === `Bearer ${live}`;
    request.socket.write(isLive ? httpAnswer(200) : httpAnswer(401, '{"message":"Unauthenticated."}'));
  });
  put("token-1", 1);
});
afterEach(async () => {
  await sidecar?.close();
  await presto.close();
  await api.close();
  rmSync(folder, { recursive: true });
});

function put(token: string, generation: number): void {
  api.put("token", { record: Buffer.from(encodeRecord(recordOf(token, generation))).toString("base64") });
}

/** So many times as fast. */
const factor = 10;

async function start(clock = createFastClock(factor)): Promise<RunningSidecar> {
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: {
      PRESTO_STORE: "kubernetes:presto/token",
      PRESTO_TOKEN: undefined,
      KUBECONFIG: join(folder, "kubeconfig"),
    },
    clock,
  });
  return sidecar;
}

const isWatch = ({ url }: SeenRequest): boolean => url.searchParams.has("watch");
const reads = (): readonly SeenRequest[] => api.seen.filter((request) => !isWatch(request));
const bookmark = (): void =>
  api.say({ type: "BOOKMARK", object: { metadata: api.secret("token")?.metadata } });

it("reads about once a minute while its watch lives, and every few seconds without one", async () => {
  await start();
  await eventually(api.watches).toBe(1);
  const [atStart, begun] = [reads().length, systemClock.monotonic()];
  // Three minutes of its clock.
  while (systemClock.monotonic() - begun < 180_000 / factor) {
    bookmark();
    await systemClock.sleep(1_000);
  }
  const calm = reads().slice(atStart);
  expect(calm.length).toBeGreaterThanOrEqual(2);
  // Every 48 s, and a watch that a busy machine feeds late is opened anew; without one it would be every 5 s.
  expect(calm.length).toBeLessThanOrEqual(8);
  expect(api.watches()).toBe(1);

  // A server that lets nobody watch any more.
  api.override = (request, response) => {
    if (!isWatch(request)) return false;
    response.writeHead(403).end();
    return true;
  };
  api.endWatches("cut");
  const [before, silentAt] = [reads().length, systemClock.monotonic()];
  await eventually(() => reads().length - before).toBeGreaterThanOrEqual(4);
  // At the calm rate the fourth would come after more than three minutes.
  expect(systemClock.monotonic() - silentAt).toBeLessThan(120_000 / factor);
  put("token-2", 2);
  live = "token-2";
  await eventually(async () => (await exchange(sidecar ?? { port: 0 }, queryCall("T1"))).status).toBe(200);
}, 60_000);

it("a watch that is open and dead costs no call: the first 401 has the Secret read afresh", async () => {
  api.override = (request, response) => {
    if (!isWatch(request)) return false;
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    return true;
  };
  const running = await start(systemClock);
  expect((await exchange(running, queryCall("T1"))).status).toBe(200);
  await eventually(() => api.seen.filter(isWatch).length).toBe(1);
  put("token-2", 2);
  live = "token-2";
  const begun = systemClock.monotonic();
  expect((await exchange(running, queryCall("T2"))).status).toBe(200);
  expect(systemClock.monotonic() - begun).toBeLessThan(10_000);
  expect(presto.requests.map((request) => request.header("authorization"))).toEqual([
    "Bearer token-1",
    "Bearer token-1",
    "Bearer token-2",
  ]);
});

it("an old object that a cache tells of replaces nothing, and a read that fails takes nothing away", async () => {
  const old = api.secret("token");
  put("token-2", 2);
  live = "token-2";
  const running = await start(systemClock);
  await eventually(api.watches).toBe(1);
  const before = reads().length;
  api.say({ type: "MODIFIED", object: old });
  await eventually(() => reads().length).toBeGreaterThan(before);
  api.override = (request, response) => {
    if (isWatch(request)) return false;
    response.writeHead(500).end();
    return true;
  };
  api.say({ type: "MODIFIED", object: old });
  api.say({ type: "DELETED", object: old });
  await eventually(() => reads().length).toBeGreaterThan(before + 1);
  for (const name of ["A", "B", "C"]) expect((await exchange(running, queryCall(name))).status).toBe(200);
  expect(new Set(presto.requests.map((request) => request.header("authorization")))).toEqual(
    new Set(["Bearer token-2"]),
  );
});
