import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { createEnvStore } from "../../../src/store/env.ts";
import { newLockHolder, openRenewalLock } from "../../../src/store/renewal-lock.ts";
import { createFileStore } from "../../support/file-stores.ts";
import { newKey, recordOf } from "./records.ts";

const options = { holder: newLockHolder(), leaseMs: 45_000, clock: systemClock };

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

  it("is one for all that open it, and says of what it is and who holds it", async () => {
    const held = await openRenewalLock(store(), options).acquire({ waitMs: 0 });
    expect(held.identity).toBe(`file lock ${path}.lock`);
    const refusal = openRenewalLock(store(), options).acquire({ waitMs: 0 });
    await expect(refusal).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringMatching(`^Process ${process.pid} on .* holds the lock of the record ${path}\\.`),
    });
    await held.release();
  });

  it("does not keep its holder, or anybody else, from writing the record", async () => {
    const held = await openRenewalLock(store(), options).acquire({ waitMs: 0 });
    // A write that waited for this lock would never end.
    const clock = { ...systemClock, sleep: () => Promise.reject(new Error("it waits")) };
    expect(await store(clock).write(recordOf("a-token"), undefined)).toMatchObject({ outcome: "written" });
    await held.release();
  });

  it("is not to be had where nothing can be stored", () => {
    const token = { kind: "value", secret: new Secret("abc") } as const;
    expect(() => openRenewalLock(createEnvStore({ token, clock: systemClock }), options)).toThrow(
      expect.objectContaining({ exitCode: 77, message: expect.stringContaining("env:") }),
    );
  });
});
