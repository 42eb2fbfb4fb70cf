import { randomUUID } from "node:crypto";

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { type Clock, systemClock } from "../../src/clock.ts";
import { random } from "../../src/lib/async.ts";
import { openLeaseLock } from "../../src/store/kubernetes/lease.ts";
import { leaseMs } from "../../src/store/term.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { until } from "../support/until.ts";
import { openSecret, refusalOf, writeKubeconfig } from "./kube/client.ts";
import { makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";
import { type Relay, startRelay } from "./relay.ts";

// Connections that are dead without anybody's knowing: the most common cause of stale tokens in programs like this.

const namespace = "connections";
let kube: KubeServer;
let relay: Relay;
let name: string;
let serial = 0;
let ends: (() => void)[] = [];

beforeAll(async () => {
  kube = await startKubeServer();
  await makeNamespace(kube, namespace);
});
afterAll(() => kube.close());
beforeEach(async () => {
  serial += 1;
  name = `token-${serial}`;
  await makeSecret(kube, namespace, name);
  relay = await startRelay([Number(kube.port)]);
});
afterEach(async () => {
  for (const end of ends) end();
  ends = [];
  await relay.close();
});

/** Of a process that gets to the API server by the relay. */
async function open(clock?: Clock) {
  const user = { token: kube.adminToken };
  const path = await writeKubeconfig(kube, { name: `${name}-${ends.length}`, user, port: relay.port });
  const backend = await openSecret(path, { namespace, name }, clock);
  ends.push(backend.close);
  return backend;
}

async function timed<T>(work: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const beganAt = performance.now();
  const value = await work;
  return { value, ms: performance.now() - beganAt };
}

it("all frozen: reads and writes go over a new one within their 5 s, and what follows goes at once", async () => {
  const backend = await open();
  await backend.put("one");
  ends.push(backend.watch(() => {}));
  await until(() => (relay.open() >= 2 ? true : undefined), { withinMs: 40_000, what: "the watch is open" });
  relay.freeze();
  const read = await timed(backend.text());
  expect(read).toMatchObject({ value: "one", ms: expect.any(Number) });
  expect(read.ms).toBeLessThan(10_000);
  relay.freeze();
  const version = (await backend.read())?.version;
  relay.freeze();
  const written = await timed(backend.write(Buffer.from("two"), version));
  expect(written.value).toMatchObject({ outcome: "written" });
  expect(written.ms).toBeLessThan(10_000);
  // Not behind what is frozen.
  expect((await timed(backend.text())).ms).toBeLessThan(4_000);
});

it("a server that takes connections and never answers costs a call its 5 s, and no more", async () => {
  const backend = await open();
  await backend.put("one");
  // Each new connection is frozen as soon as it is there.
  const freezing = setInterval(() => relay.freeze(), 1);
  const { value, ms } = await timed(refusalOf(backend.read()));
  clearInterval(freezing);
  expect(value).toMatch(/^unreachable: .*(no answer within 5 s|TLS was not up)/);
  expect(ms).toBeLessThan(15_000);
  expect(await backend.text()).toBe("one");
});

it("a read never waits behind the open watch", async () => {
  const backend = await open();
  await backend.put("one");
  ends.push(backend.watch(() => {}));
  await until(() => (relay.open() >= 2 ? true : undefined), { withinMs: 40_000, what: "the watch is open" });
  const times = [];
  for (let read = 0; read < 50; read += 1) times.push((await timed(backend.text())).ms);
  expect(Math.max(...times)).toBeLessThan(5_000);
});

it("all frozen: a Lease is renewed over a new one within LEASE/3, and given back at once", async () => {
  const user = { token: kube.adminToken };
  const path = await writeKubeconfig(kube, { name, user, port: relay.port });
  const cluster = { kubeconfig: [path], host: undefined, port: undefined, environment: {} };
  const lock = await openLeaseLock(
    { namespace, name, holder: `${namespace}/a_${randomUUID()}`, cluster },
    { clock: systemClock, random },
  );
  ends.push(lock.close);
  const held = await lock.acquire({ waitMs: 0 });
  relay.freeze();
  const sentAt = systemClock.monotonic();
  const renewed = await timed(held.renew());
  expect(renewed.value).toBe(true);
  expect(renewed.ms).toBeLessThan(leaseMs / 3);
  // Counted from the write that went through.
  expect(held.heldUntil()).toBeGreaterThan(sentAt + leaseMs);
  expect((await timed(held.renew())).ms).toBeLessThan(5_000);
  relay.freeze();
  const released = await timed(held.release());
  expect(released.ms).toBeLessThan(15_000);
  const { json } = await kube.admin(
    "GET",
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`,
  );
  expect(json).toMatchObject({ spec: { holderIdentity: "" } });
});

it("a watch of which no byte comes for 90 s is given up, and what changed meanwhile is told", async () => {
  // Fifteen seconds of the test's own.
  const clock = createFastClock(6);
  const backend = await open(clock);
  await backend.put("one");
  let told = 0;
  ends.push(backend.watch(() => void (told += 1)));
  await until(() => (relay.open() >= 2 ? true : undefined), { withinMs: 40_000, what: "the watch is open" });
  // An event of before the freeze may still come.
  await clock.sleep(3_000);
  const before = told;
  const frozenAt = clock.monotonic();
  relay.freeze();
  const other = await openSecret(kube.kubeconfig, { namespace, name });
  ends.push(other.close);
  await other.put("two");
  await until(() => (told > before ? true : undefined), { withinMs: 80_000, what: "the change is told" });
  const silentMs = clock.monotonic() - frozenAt;
  expect(silentMs).toBeGreaterThan(80_000);
  // Ten seconds more of the test's own.
  expect(silentMs).toBeLessThan(150_000);
  expect(await backend.text()).toBe("two");
  // And it is watched again, for what comes next.
  const again = told;
  await other.put("three");
  await until(() => (told > again ? true : undefined), { withinMs: 40_000, what: "the next change is told" });
});

it("a way that is cut as soon as it is open sees no more than a watch a second", async () => {
  const backend = await open();
  await backend.put("one");
  const before = relay.connections();
  const begunAt = performance.now();
  ends.push(backend.watch(() => {}));
  const cutting = setInterval(() => relay.cut(), 20);
  await new Promise((resolve) => {
    setTimeout(resolve, 12_000);
  });
  clearInterval(cutting);
  // For each watch a look at the Secret, each over a connection of its own.
  const seconds = (performance.now() - begunAt) / 1_000;
  expect(relay.connections() - before).toBeLessThanOrEqual(2 * seconds);
  expect(relay.connections() - before).toBeGreaterThan(2);
});
