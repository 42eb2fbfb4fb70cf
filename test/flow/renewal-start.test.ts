import { randomBytes, randomUUID } from "node:crypto";
import { statSync, truncateSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { StoreError } from "../../src/store/contract.ts";
import { createSingleHostLock, renewalLockPath } from "../../src/store/file/lock.ts";
import { createIssuingBench, type IssuingBench } from "../support/issuing-bench.ts";
import { marksIn } from "../support/marks.ts";
import { eventually } from "../support/sidecar-load.ts";
import { startProgram } from "../support/source-program.ts";

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench();
});
afterEach(() => bench.close());

const newKey = (): string => randomBytes(32).toString("base64");

/** A start that is refused: its exit code and what it says, in which no secret may stand. */
async function refused(
  env: Record<string, string | undefined>,
): Promise<{ code: number | null; said: string }> {
  const program = startProgram(["start"], { env });
  const stuck = setTimeout(() => program.child.kill("SIGKILL"), 50_000);
  const code = await program.ended;
  clearTimeout(stuck);
  const { account, token } = bench.sandbox;
  const secrets = { ...account, token, key: bench.key };
  const marks = Object.entries(secrets).map(([name, value]) => ({ name, value }));
  expect(marksIn(program.output(), marks)).toEqual([]);
  return { code, said: program.output() };
}

interface Refusal {
  readonly name: string;
  readonly env: () => Record<string, string | undefined>;
  readonly says: RegExp;
}

const refusals: readonly Refusal[] = [
  {
    name: "a wrong key",
    env: () => bench.env({ PRESTO_STORE_KEY: newKey() }),
    says: /was sealed with the store key \w+, which was not given/,
  },
  {
    name: "a record that was cut short",
    env() {
      truncateSync(bench.path, statSync(bench.path).size - 40);
      return bench.env();
    },
    says: /The record \S+ .*(damaged|cut short|tampered)/,
  },
  {
    name: "credentials with the role proxy",
    env: () => bench.env({ PRESTO_ROLE: "proxy" }),
    says: /PRESTO_EMAIL: the role proxy cannot issue tokens.*PRESTO_PASSWORD: the role proxy/s,
  },
  {
    name: "the role all without credentials",
    env: () => bench.env({ PRESTO_EMAIL: undefined, PRESTO_PASSWORD: undefined }),
    says: /the role all issues tokens, and no credentials are given/,
  },
  {
    name: "the role rotator without a password",
    env: () => bench.env({ PRESTO_ROLE: "rotator", PRESTO_LISTEN: undefined, PRESTO_PASSWORD: undefined }),
    says: /the role rotator issues tokens, and only an e-mail address is given/,
  },
  {
    name: "the role all over a store that is only read",
    env: () => bench.env({ PRESTO_STORE: undefined, PRESTO_STORE_KEY: undefined, PRESTO_TOKEN: "a-token" }),
    says: /PRESTO_STORE.*can only be read/s,
  },
];

describe("a start is refused with 78, before Presto is asked anything, by", () => {
  it.each(refusals)("$name", async ({ name, env, says }) => {
    const { code, said } = await refused(env());
    expect([code, said]).toEqual([78, expect.stringMatching(says)]);
    expect(bench.sandbox.received()).toEqual([]);
    // A message of its own.
    expect(refusals.filter((other) => other.says.test(said)).map(({ name: of }) => of)).toEqual([name]);
  });
});

/** What comes of reading the record with the bench's key alone. */
async function withOldKey(): Promise<string> {
  try {
    await bench.stored();
    return "readable";
  } catch (error) {
    return error instanceof StoreError ? error.code : "another error";
  }
}

describe("a record that was sealed with an older key", () => {
  it("is sealed anew with the first one at the start of a role that writes", async () => {
    const key = newKey();
    const sidecar = await bench.start({ env: { PRESTO_STORE_KEY: `${key},${bench.key}` } });
    expect((await sidecar.call()).status).toBe(200);
    // What can be read with the new key alone needs the old one no more.
    await eventually(withOldKey).toBe("wrong-key");
    await sidecar.close();
    const next = await bench.start({ env: { PRESTO_STORE_KEY: key } });
    expect((await next.call()).status).toBe(200);
    expect(await next.status()).toMatchObject({ generation: 1 });
    expect(bench.issues()).toBe(0);
  });

  it("is sealed anew by the time that the process listens, though another one that hangs holds the lock", async () => {
    const what = `the record ${bench.path}`;
    const lock = createSingleHostLock({ path: renewalLockPath(bench.path), what, clock: systemClock });
    const held = await lock.acquire({ waitMs: 1_000 });
    try {
      await bench.start({ env: { PRESTO_STORE_KEY: `${newKey()},${bench.key}` } });
      expect(await withOldKey()).toBe("wrong-key");
    } finally {
      await held.release();
    }
  });

  it("is left alone beside an intent, whose holder looks at the version before its call", async () => {
    const intent = {
      id: randomUUID(),
      holder: randomUUID(),
      soleCall: false,
      reason: "manual",
      at: new Date(),
    } as const;
    await bench.change({ intent });
    const what = `the record ${bench.path}`;
    const lock = createSingleHostLock({ path: renewalLockPath(bench.path), what, clock: systemClock });
    const held = await lock.acquire({ waitMs: 1_000 });
    const before = (await bench.stored())?.version;
    try {
      await bench.start({ env: { PRESTO_STORE_KEY: `${newKey()},${bench.key}` } });
      expect((await bench.stored())?.version).toBe(before);
    } finally {
      await held.release();
    }
  });

  it("is sealed anew under PRESTO_RENEW=manual too, and left alone by a proxy", async () => {
    const key = newKey();
    const both = `${key},${bench.key}`;
    const proxy = await bench.start({
      env: {
        PRESTO_ROLE: "proxy",
        PRESTO_EMAIL: undefined,
        PRESTO_PASSWORD: undefined,
        PRESTO_STORE_KEY: both,
      },
    });
    expect((await proxy.call()).status).toBe(200);
    const before = (await bench.stored())?.version;
    await bench.start({ env: { PRESTO_RENEW: "manual", PRESTO_STORE_KEY: both } });
    expect(before).toBeDefined();
    await eventually(withOldKey).toBe("wrong-key");
    expect((await proxy.call()).status).toBe(200);
  });
});
