import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import type { OpenLock } from "../../../src/store/contract.ts";
import { createEnvStore } from "../../../src/store/env.ts";
import { type LockUse, openRenewalLock } from "../../../src/store/renewal-lock.ts";
import { createFileStore } from "../../support/file-stores.ts";
import { newKey, recordOf } from "./records.ts";

describe("renewal lock of a store", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "renewal-lock-"));
    path = join(folder, "record");
  });
  afterEach(() => rm(folder, { recursive: true }));

  function store(clock = systemClock): ReturnType<typeof createFileStore> {
    return createFileStore({ path, keys: { kind: "value", secret: new Secret(newKey()) }, clock });
  }

  const own = { kind: "file", lock: { kind: "own" } } as const;

  function open(use: LockUse = "renewal"): Promise<OpenLock> {
    return openRenewalLock({ store: store(), use, options: own, clock: systemClock });
  }

  it("is one for all that open it, and says of what it is and who holds it", async () => {
    const held = await (await open()).acquire({ waitMs: 0 });
    expect(held.identity).toBe(`file lock ${path}.lock`);
    const refusal = (await open("record")).acquire({ waitMs: 0 });
    await expect(refusal).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringMatching(`^Process ${process.pid} on .* holds the lock of the record ${path}\\.`),
    });
    await held.release();
  });

  it("does not keep its holder, or anybody else, from writing the record", async () => {
    const held = await (await open()).acquire({ waitMs: 0 });
    // A write that waited for this lock would never end.
    const clock = { ...systemClock, sleep: () => Promise.reject(new Error("it waits")) };
    expect(await store(clock).write(recordOf("a-token"), undefined)).toMatchObject({ outcome: "written" });
    await held.release();
  });

  it("is not to be had where nothing can be stored", async () => {
    const token = { kind: "value", secret: new Secret("abc") } as const;
    const opening = openRenewalLock({
      store: createEnvStore({ token, clock: systemClock }),
      use: "renewal",
      options: { kind: "env", lock: undefined },
      clock: systemClock,
    });
    await expect(opening).rejects.toMatchObject({
      exitCode: 77,
      message: expect.stringContaining("env:"),
    });
  });

  it("is the record's intent where that is asked for, and none where a person writes by hand over it", async () => {
    const place = store();
    const options = {
      kind: "vault",
      lock: { kind: "store" },
      pod: { namespace: "presto", name: "a" },
    } as const;
    const opened = (use: LockUse): Promise<OpenLock> =>
      openRenewalLock({ store: place, use, options, clock: systemClock, holder: "me" });
    const held = await (await opened("renewal")).acquire({ waitMs: 0 });
    expect(held.identity).toBe("presto/a_me");
    expect(held.intent).toBeDefined();
    const changing = await (await opened("account")).acquire({ waitMs: 0 });
    expect((await place.read())?.record.intent).toMatchObject({ holder: "me" });
    // It is judged by the import itself, which a token that lives may pass.
    await (await (await opened("record")).acquire({ waitMs: 0 })).release();
    await changing.release();
    expect((await place.read())?.record.intent).toBeNull();
  });

  it("is a Lease where that is asked for, and needs a cluster", async () => {
    const opening = openRenewalLock({
      store: store(),
      use: "renewal",
      options: {
        kind: "vault",
        lock: { kind: "lease", namespace: "presto", name: "renewal" },
        servers: { kubernetes: { kubeconfig: [], host: undefined, port: undefined, environment: {} } },
      },
      clock: systemClock,
    });
    await expect(opening).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("a Lease of Kubernetes needs KUBECONFIG"),
    });
  });
});
