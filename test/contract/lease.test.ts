import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { random } from "../../src/lib/async.ts";
import { holderName } from "../../src/store/holder.ts";
import { type Api, createApi } from "../../src/store/kubernetes/api.ts";
import { openCluster } from "../../src/store/kubernetes/cluster.ts";
import { createLeaseLock } from "../../src/store/kubernetes/lease.ts";
import { leaseMs } from "../../src/store/term.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { createWaywardApi } from "../support/wayward-api.ts";
import { describeLock } from "./lock.ts";

let api: StandInApi;
let folder: string;
let serial = 0;
beforeAll(async () => {
  api = await startStandInApi();
  folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
  await writeFile(join(folder, "config"), api.kubeconfig());
});
afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true });
});

const factor = 20;

/** Over real connections to a stand-in, each process with its own. */
describeLock(
  "a Lease",
  async () => {
    serial += 1;
    const name = `lease-${serial}`;
    const opened: Api[] = [];
    let processes = 0;
    return {
      async start() {
        processes += 1;
        const clock = createFastClock(factor);
        const cluster = await openCluster(api.cluster({ kubeconfig: join(folder, "config") }), systemClock);
        const connected = createApi(cluster, systemClock);
        opened.push(connected);
        const way = createWaywardApi(connected, clock);
        const holder = holderName({ namespace: "presto", name: `rotator-${processes}` }, randomUUID());
        return {
          lock: createLeaseLock({ namespace: "presto", name, holder }, { api: way, clock, random }),
          clock,
          kill() {
            way.state = "dead";
          },
          cut() {
            way.state = "cut";
          },
        };
      },
      pass: (ms) => systemClock.sleep(ms / factor),
      async dispose() {
        for (const each of opened) each.close();
      },
    };
  },
  // A busy machine answers late, by a clock that is twenty times as fast.
  {
    termMs: leaseMs,
    isKept: true,
    // Less than half of a term, after which it would be had anyway.
    handOverMs: 20_000,
    holder: /^The Pod presto\/rotator-\d holds the lock/,
    saidLateMs: 30_000,
  },
);
