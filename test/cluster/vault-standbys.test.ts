import { afterAll, beforeAll, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { StoreError } from "../../src/store/contract.ts";
import { parseVaultAddress } from "../../src/store/vault/access.ts";
import { type BaoCluster, startBaoCluster } from "./vault/raft.ts";
import { given, openEntry } from "./vault/stores.ts";

// Three real OpenBaos. Standbys answer reads themselves, and lag.

let cluster: BaoCluster;
beforeAll(async () => {
  cluster = await startBaoCluster();
});
afterAll(() => cluster.close());

/** As a process has it whose Vault is that node. */
function entryAt(index: number, path: string) {
  const address = parseVaultAddress(cluster.urls[index] ?? "");
  if (typeof address === "string") throw new Error(address);
  return openEntry(
    { address, namespace: undefined, caFile: undefined, login: given(cluster.rootToken) },
    path,
  );
}

it("a process sees over a standby what it has written, at once", async () => {
  const entry = await entryAt(2, "secret/own");
  for (let write = 0; write < 50; write += 1) {
    const written = await entry.put(`${write}`);
    const read = await entry.read();
    expect(written).toEqual({ outcome: "written", version: read?.version });
    expect(Buffer.from(read?.bytes ?? []).toString()).toBe(`${write}`);
  }
  entry.close();
});

it("of processes at several nodes that write at once, one gets through each time", async () => {
  const entries = await Promise.all([0, 1, 2].map((index) => entryAt(index, "secret/shared")));
  await entries[0]?.put("0");
  let written = 0;
  await Promise.all(
    entries.map(async (entry) => {
      for (let tries = 0; tries < 20; tries += 1) {
        const read = await entry.read();
        const next = Number(Buffer.from(read?.bytes ?? []).toString()) + 1;
        const end = await entry.write(Buffer.from(`${next}`), read?.version);
        if (end.outcome === "written") written += 1;
      }
    }),
  );
  expect(written).toBeGreaterThan(0);
  await expect.poll(() => entries[1]?.text()).toBe(`${written}`);
  for (const entry of entries) entry.close();
});

it("a leader that dies is an outage of seconds, and nothing that was seen is unseen", async () => {
  const all = await Promise.all([0, 1, 2].map((index) => entryAt(index, "secret/outage")));
  await all[0]?.put("before");
  for (const entry of all) await expect.poll(() => entry.text()).toBe("before");
  const dead = await cluster.killLeader();
  const diedAt = performance.now();
  const left = all.filter((_, index) => index !== dead);
  let back = 0;
  while (back === 0 && performance.now() - diedAt < 90_000) {
    for (const entry of left) {
      const read = await entry.text().catch((error: unknown) => error);
      // Never "no record", never another than the one that stands there.
      if (read instanceof StoreError) expect(read.code).toBe("unreachable");
      else expect(read).toBe("before");
    }
    const end = await left[0]?.put("after").catch((error: unknown) => error);
    if (end instanceof StoreError) expect(end.code).toBe("unreachable");
    else back = performance.now() - diedAt;
    await systemClock.sleep(100);
  }
  expect(back).toBeGreaterThan(0);
  for (const entry of left) await expect.poll(() => entry.text()).toBe("after");
  for (const entry of all) entry.close();
});
