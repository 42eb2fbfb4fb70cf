import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { RequestFault } from "../../src/sandbox/fault-kinds.ts";
import { Secret } from "../../src/secret.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, issuePath } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";

// Invariant 8: a failed store write, reload or renewal never discards a token that still works. The one in hand goes
// on serving while nothing could be issued; a new one, which kills every other, serves from the moment it was made.

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench();
});
afterEach(() => bench.close());

const clock = createFastClock(20);

/** The files that are read while it runs, so that each can go wrong. */
function files(): Record<"key" | "password" | "ca", string> {
  const folder = dirname(bench.path);
  return { key: join(folder, "key"), password: join(folder, "password"), ca: join(folder, "own-ca.pem") };
}

async function start(): Promise<IssuingSidecar> {
  const { key, password, ca } = files();
  writeFileSync(key, bench.key, { mode: 0o600 });
  writeFileSync(password, bench.sandbox.account.password, { mode: 0o600 });
  writeFileSync(ca, bench.sandbox.caPem);
  const sidecar = await bench.start({
    clock,
    env: {
      PRESTO_STORE_KEY: undefined,
      PRESTO_STORE_KEY_FILE: key,
      PRESTO_PASSWORD: undefined,
      PRESTO_PASSWORD_FILE: password,
      PRESTO_CA_FILE: ca,
      PRESTO_SETTLE: "10s",
      PRESTO_TIMEOUT: "200s",
      PRESTO_CONNECT_TIMEOUT: "100s",
      PRESTO_HOLD_MAX: "10s",
    },
  });
  await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
  return sidecar;
}

const issueFault = (fault: RequestFault) => (): void =>
  void bench.sandbox.setFault({ ...fault, path: issuePath });
const anotherKey = Buffer.alloc(32, 1).toString("base64");

/** What goes wrong, by which no token was made. */
const failures: readonly (readonly [string, () => void])[] = [
  ["refused credentials", issueFault({ kind: "status", status: 401 })],
  ["a refused request", issueFault({ kind: "status", status: 422 })],
  ["too many calls", issueFault({ kind: "status", status: 429, retryAfter: 60 })],
  ["an error of Presto's", issueFault({ kind: "status", status: 500 })],
  ["a gateway's page", issueFault({ kind: "html" })],
  ["a lost connection", issueFault({ kind: "reset-before-acting" })],
  ["a record that can't be written", () => blockWrites()],
  ["a record that others may read", () => chmodSync(bench.path, 0o644)],
  ["a record that is damaged", () => truncateSync(bench.path, 20)],
  ["another key", () => writeFileSync(files().key, anotherKey)],
  ["a key that is none", () => writeFileSync(files().key, "not a key")],
  ["no key", () => rmSync(files().key)],
  ["no password", () => rmSync(files().password)],
  ["a password that can't be one", () => writeFileSync(files().password, "\u0000")],
  ["a lock that can't be had", () => blockLock()],
];

/** A folder in a lock's place: root, too, can't take it. */
function block(path: string): () => void {
  rmSync(path, { force: true });
  mkdirSync(path);
  return () => rmSync(path, { recursive: true });
}
const blockWrites = (): (() => void) => block(`${bench.path}.write-lock`);
const blockLock = (): (() => void) => block(`${bench.path}.lock`);

describe("the token in hand goes on serving through a renewal and a reload with", () => {
  it.each(failures)("%s", async (_name, fail) => {
    const sidecar = await start();
    fail();
    await sidecar.app.reload().catch(() => {});
    await sidecar.renew("?wait=1s");
    // Whatever it came to, the next call is made with the token that works.
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renew("?wait=20s");
    const calls = await Promise.all(Array.from({ length: 8 }, () => sidecar.call()));
    expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 200));
    expect((await sidecar.readyz()).status).toBe(200);
    expect(await sidecar.status()).toMatchObject({ generation: 1 });
    expect(bench.sandbox.state().tokens).toHaveLength(1);
  });

  it("a CA file that is none: the certificates in hand are trusted on, and the renewal works", async () => {
    const sidecar = await start();
    writeFileSync(files().ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    await expect(sidecar.app.reload()).rejects.toThrow(files().ca);
    expect((await sidecar.call()).status).toBe(200);
    expect((await sidecar.renew()).status).toBe(200);
    expect((await sidecar.call()).status).toBe(200);
  });
});

describe("a new token is served from its making on, and stored at last, where meanwhile", () => {
  /** What happens to the store between the intent and the token; what mends it, if it does not mend itself. */
  const accidents: readonly (readonly [string, () => Promise<() => void> | (() => void)])[] = [
    ["the record can't be written any more", () => blockWrites()],
    [
      "the record can't be read any more",
      () => {
        chmodSync(bench.path, 0o644);
        return () => chmodSync(bench.path, 0o600);
      },
    ],
    [
      "somebody else has stored a token that is dead",
      async () => {
        await bench.change({ token: new Secret("another-token"), generation: 9, intent: null });
        return () => {};
      },
    ],
    [
      "somebody else has taken over",
      async () => {
        const taken = { id: randomUUID(), holder: randomUUID(), soleCall: true, reason: "takeover" } as const;
        await bench.change({ intent: { ...taken, at: new Date() } });
        return () => {};
      },
    ],
    [
      "the record was removed",
      () => {
        rmSync(bench.path);
        return () => {};
      },
    ],
  ];

  it.each(accidents)("%s", async (_name, happen) => {
    const sidecar = await start();
    const hold = bench.sandbox.setFault({ kind: "hold", acts: true, path: issuePath, times: 1 });
    sidecar.renew("?wait=1ms").catch(() => {});
    await eventually(bench.issues).toBe(1);
    const { token } = bench.sandbox;
    const mend = await happen();
    hold.remove();
    await eventually(sidecar.log).toContain("Presto issued a token.");
    const calls = await Promise.all(Array.from({ length: 8 }, () => sidecar.call()));
    expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 200));
    mend();
    await eventually(async () => (await bench.record()).token?.reveal()).toBe(token);
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(1);
  });

  it("another holder's intent is left to him, and its call no longer counts as the only one", async () => {
    const sidecar = await start();
    const hold = bench.sandbox.setFault({ kind: "hold", acts: true, path: issuePath, times: 1 });
    sidecar.renew("?wait=1ms").catch(() => {});
    await eventually(bench.issues).toBe(1);
    const other = { id: randomUUID(), holder: randomUUID(), soleCall: true, reason: "takeover" } as const;
    await bench.change({ intent: { ...other, at: new Date() } });
    hold.remove();
    const stands = { generation: 2, intent: { id: other.id, soleCall: false } };
    // Not for long: this process itself finds it, and settles it.
    await expect.poll(bench.record, { timeout: 10_000, interval: 1 }).toMatchObject(stands);
    await eventually(bench.record).toMatchObject({ generation: 2, intent: null });
    expect(bench.issues()).toBe(1);
  });
});
