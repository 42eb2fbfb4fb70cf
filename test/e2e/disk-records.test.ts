import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startBuilt } from "../support/built-sidecar.ts";
import { nothingBegun, renewalHeld } from "../support/faulty-store.ts";
import { createIssuingBench } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingProgram } from "../support/issuing-program.ts";
import { eventually } from "../support/sidecar-load.ts";

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench();
});
afterEach(() => bench.close());

const serve = (more: Readonly<Record<string, string>> = {}): Promise<IssuingProgram> =>
  bench.serve(more, startBuilt());

const damages: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  ["cut short", (path) => truncateSync(path, statSync(path).size - 30), /"code":"damaged"/],
  ["emptied", (path) => truncateSync(path, 0), /"code":"damaged"/],
  ["tampered with", (path) => writeFileSync(path, flipped(readFileSync(path, "latin1"))), /"code":"damaged"/],
  ["overwritten with zeros", (path) => writeFileSync(path, Buffer.alloc(4096)), /"code":"damaged"/],
];

/** Another digit in the middle of the sealed part. */
function flipped(sealed: string): string {
  const at = sealed.length - 60;
  return `${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
}

describe("a record that was", () => {
  it.each(damages)(
    "%s while a sidecar runs takes nothing from its token, and is not written over",
    async (_name, damage, code) => {
      const sidecar = await serve();
      const sound = join(bench.path, "..", "sound");
      copyFileSync(bench.path, sound);
      damage(bench.path);
      const bytes = readFileSync(bench.path, "latin1");
      await nothingBegun(bench, sidecar, code);
      expect(readFileSync(bench.path, "latin1")).toBe(bytes);
      // A start with it is refused: only a person can say what it is worth.
      await expect(serve()).rejects.toThrow(/The record \S+ .*(damaged|cut short|tampered)/s);
      copyFileSync(sound, bench.path);
      expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
    },
  );

  it("removed while a sidecar runs takes nothing from its token, and the next renewal makes another", async () => {
    const sidecar = await serve();
    await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
    rmSync(bench.path);
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(0);
    expect((await sidecar.renew()).status).toBe(200);
    expect((await bench.record()).token?.reveal()).toBe(bench.sandbox.token);
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(1);
  });
});

describe("an old backup that is put back", () => {
  const backup = (): string => join(bench.path, "..", "backup");

  async function renewed(sidecar: IssuingProgram, times: number): Promise<void> {
    for (let round = 0; round < times; round += 1) expect((await sidecar.renew()).status).toBe(200);
  }

  /** So many issue calls in all, and no call of an app failed. */
  async function recovered(sidecar: IssuingProgram, issues: number): Promise<void> {
    expect((await sidecar.call()).status).toBe(200);
    await eventually(async () => (await bench.record()).token?.reveal() === bench.sandbox.token).toBe(true);
    await eventually(bench.record).toMatchObject({ intent: null, stopped: null });
    expect(bench.issues()).toBe(issues);
    expect((await bench.record()).unexplainedDeaths.length).toBeLessThanOrEqual(1);
    expect((await sidecar.call()).status).toBe(200);
  }

  it("while a sidecar runs is found out, and costs no issue call: the live token is remembered", async () => {
    const sidecar = await serve();
    copyFileSync(bench.path, backup());
    await renewed(sidecar, 2);
    copyFileSync(backup(), bench.path);
    await recovered(sidecar, 2);
    expect((await bench.record()).generation).toBeGreaterThan(3);
  });

  it("while none runs is found out at the next start, and costs one issue call", async () => {
    const sidecar = await serve();
    copyFileSync(bench.path, backup());
    await renewed(sidecar, 2);
    await sidecar.close();
    copyFileSync(backup(), bench.path);
    await recovered(await serve(), 3);
  });

  it("and was made in the middle of a renewal is settled, and costs no issue call", async () => {
    const sidecar = await serve({ PRESTO_SETTLE: "3s" });
    const renewal = await renewalHeld(bench, sidecar);
    copyFileSync(bench.path, backup());
    renewal.answer();
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    copyFileSync(backup(), bench.path);
    await recovered(sidecar, 1);
    expect((await bench.record()).unexplainedDeaths).toEqual([]);
  });
});
