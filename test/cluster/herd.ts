/**
 * `npm run herd -- --store kubernetes --proxies 200`: so many proxies on one Secret of a real API server, or
 * one entry of three real OpenBaos: how soon they have a new token, and what they cost the store and Presto at
 * rest, after an outage, and with a token that is dead. The figures of docs/kubernetes.md and docs/vault.md are
 * from it. All of them are one process here, beside Presto and the network, and share one core: two hundred
 * that have one of their own are sooner. Before that, what following costs a single one: the built program.
 */
import { loadavg } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";

import { createSandbox } from "../../src/sandbox/server.ts";
import { measureAtRest, type Rest } from "./fleet/at-rest.ts";
import { startCrowd } from "./fleet/crowd.ts";
import { openKubePlace } from "./fleet/kube-place.ts";
import { openVaultPlace } from "./fleet/vault-place.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "kubernetes" },
    proxies: { type: "string", default: "200" },
    writes: { type: "string", default: "20" },
    seconds: { type: "string", default: "60" },
    starts: { type: "string", default: "5" },
  },
});
const [proxies, writes] = [Number(values.proxies), Number(values.writes)];
const [seconds, starts] = [Number(values.seconds), Number(values.starts)];

// What was started ends with this process, however that ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const place = await (values.store === "vault" ? openVaultPlace() : openKubePlace());
const sandbox = createSandbox({ issuedAgoMs: 60 * 60_000 });
await sandbox.start();
await put(() => sandbox.token);
if (starts > 0) {
  const { given, following } = await measureAtRest(place, sandbox, starts);
  tell("one at rest with the token in its environment: MiB, ms of CPU a second", restOf(given));
  tell(`one at rest over ${place.kind}`, restOf(following));
}
const crowd = await startCrowd(proxies, place, sandbox);
try {
  tell("proxies", `${crowd.size} over ${place.kind}; the machine's load: ${loadavg()[0]?.toFixed(1)}`);
  await pause(10_000);
  tell(`requests a second at rest, over ${seconds} s`, rate(await countFor(seconds)));
  await measureWrites("at rest", writes);
  const callers = crowd.call(1_000);
  await pause(5_000);
  await measureWrites("each with a call a second", writes);
  await callers.stop();
  for (const { name, begin, end } of place.outages) {
    await begin();
    await pause(10_000);
    await end();
    tell(`after ${name}: requests a second, the most and over 15 s`, await measureReturn());
    await measureWrites("after that", 1);
  }
  await measureDeadToken();
  tell("the machine's load at the end", String(loadavg()[0]?.toFixed(1)));
} finally {
  await crowd.close();
  await sandbox.close();
  await place.close();
}

function tell(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(72)} ${value}\n`);
}

function restOf({ memory, cpu }: Rest): string {
  return `${memory.toFixed(1)}, ${cpu.toFixed(2)}`;
}

interface Counted {
  readonly requests: number;
  readonly ms: number;
}

function rate({ requests, ms }: Counted): string {
  return (requests / (ms / 1_000)).toFixed(1);
}

async function countFor(forSeconds: number): Promise<Counted> {
  const [before, from] = [await place.requests(), performance.now()];
  await pause(forSeconds * 1_000);
  return { requests: (await place.requests()) - before, ms: performance.now() - from };
}

/** From the moment that a token began to be written (some milliseconds before it stood there) until each has it for its next call. */
async function measureWrites(when: string, times: number): Promise<void> {
  const lasts: number[] = [];
  const all: number[] = [];
  const before = await place.requests();
  for (let write = 0; write < times; write += 1) {
    const { writtenAt, generation } = await put(() => sandbox.mintToken().token);
    const taken = await crowd.haveTaken(generation, 60_000);
    const delays = taken.map((at) => at - writtenAt);
    all.push(...delays);
    lasts.push(Math.max(...delays));
    await pause(1_000);
  }
  const requests = ((await place.requests()) - before) / times;
  tell(`${when}: from a write to its use, ms: p50, p99`, `${part(all, 0.5)}, ${part(all, 0.99)}`);
  tell(`${when}: the last of all, ms: p50, p99`, `${part(lasts, 0.5)}, ${part(lasts, 0.99)}`);
  tell(`${when}: requests to the store for a write and a second`, requests.toFixed(0));
}

/** As its administrator, who has to wait for a server that is busy like everybody else. A write that is unclear may have been one: the next is of another token. */
async function put(
  token: () => string,
): Promise<{ readonly writtenAt: number; readonly generation: number }> {
  for (let tries = 1; ; tries += 1) {
    const writtenAt = Date.now();
    try {
      return { writtenAt, generation: await place.put(token()) };
    } catch (error) {
      if (tries === 10) throw error;
      await pause(1_000);
    }
  }
}

function part(list: readonly number[], at: number): number {
  const sorted = list.toSorted((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? 0);
}

/** The busiest second after an outage, and the mean of fifteen. */
async function measureReturn(): Promise<string> {
  const counts: number[] = [await place.requests()];
  for (let look = 0; look < 15; look += 1) {
    await pause(1_000);
    counts.push(await place.requests());
  }
  const steps = counts.slice(1).map((count, index) => count - (counts[index] ?? 0));
  return `${Math.max(...steps)}, ${(steps.reduce((sum, step) => sum + step, 0) / steps.length).toFixed(1)}`;
}

/** With a token that Presto refuses, and one caller at each proxy. */
async function measureDeadToken(): Promise<void> {
  sandbox.revokeToken();
  const callers = crowd.call(1_000);
  for (const [name, length] of [
    ["the first 15 s", 15],
    ["from 15 to 30 s", 15],
    ["from 30 to 90 s", 60],
  ] as const) {
    const before = prestoRequests();
    const { requests, ms } = await countFor(length);
    const asked = (prestoRequests() - before) / (ms / 1_000);
    tell(
      `a dead token, ${name}: requests a second to Presto, to the store`,
      `${asked.toFixed(1)}, ${rate({ requests, ms })}`,
    );
  }
  await measureWrites("a token that ends it", 1);
  await callers.stop();
}

function prestoRequests(): number {
  return Object.values(sandbox.state().requests).reduce((sum, count) => sum + count, 0);
}
