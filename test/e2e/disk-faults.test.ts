import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, describe, expect, it, onTestFinished } from "vitest";

import { runCli } from "../support/built-cli.ts";
import { startBuilt } from "../support/built-sidecar.ts";
import { nothingBegun, renewalHeld, warnings } from "../support/faulty-store.ts";
import { createIssuingBench } from "../support/issuing-bench.ts";
import type { BenchOptions, IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingProgram } from "../support/issuing-program.ts";
import { eventually } from "../support/sidecar-load.ts";
import { asUser, canMount, createOwnFolder, createSmallDisk } from "../support/small-disk.ts";
import type { OwnFolder, SmallDisk } from "../support/small-disk.ts";

let bench: IssuingBench;

afterEach(() => bench.close());

async function open(options: BenchOptions = {}): Promise<IssuingBench> {
  bench = await createIssuingBench(options);
  return bench;
}

const serve = (more: Readonly<Record<string, string>> = {}): Promise<IssuingProgram> =>
  bench.serve(more, startBuilt());

/** The token that nobody but this process has is served, and is stored as soon as it can be. */
async function keepsCandidate(sidecar: IssuingProgram, reason: RegExp, mend: () => void): Promise<void> {
  await sidecar.renewalSays({ state: "reconciling" });
  // Nobody else has it: that must be told.
  await eventually(() => warnings(sidecar)).toMatch(reason);
  expect((await sidecar.call()).status).toBe(200);
  await eventually(sidecar.status).toMatchObject({ generation: 2, token_state: "in use" });
  mend();
  await eventually(bench.record).toMatchObject({ generation: 2, intent: null });
  expect((await bench.record()).token?.reveal()).toBe(bench.sandbox.token);
  expect((await sidecar.call()).status).toBe(200);
  await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
  expect(bench.issues()).toBe(1);
}

describe.runIf(canMount())("a disk", () => {
  let disk: SmallDisk;

  async function openOnDisk(): Promise<IssuingProgram> {
    disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    await open({ place: disk.folder });
    return serve();
  }

  it("that is full: nothing is revoked, and once it has room again the renewal works", async () => {
    const sidecar = await openOnDisk();
    disk.fill();
    await nothingBegun(bench, sidecar, /could not be written \(ENOSPC\)/);
    for (const line of ["token import", "token issue --yes"]) {
      const { code, err } = await runCli(line.split(" "), { env: bench.env(), stdin: bench.sandbox.token });
      expect({ line, code, err }).toEqual({ line, code: 71, err: expect.stringContaining("ENOSPC") });
    }
    expect(bench.issues()).toBe(0);
    disk.free();
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
    expect((await sidecar.call()).status).toBe(200);
  });

  it("that fills up between intent and store: the new token is served, and stored when there is room", async () => {
    const sidecar = await openOnDisk();
    const renewal = await renewalHeld(bench, sidecar);
    disk.fill();
    renewal.answer();
    await keepsCandidate(sidecar, /ENOSPC/, disk.free);
  });

  it("that stays full: a shutdown spends its budget on the new token; the next start finds it lost, and renews", async () => {
    disk = createSmallDisk();
    onTestFinished(() => disk.remove());
    await open({ place: disk.folder });
    const sidecar = await serve({ PRESTO_DRAIN_MAX: "3s" });
    const renewal = await renewalHeld(bench, sidecar);
    disk.fill();
    renewal.answer();
    await sidecar.renewalSays({ state: "reconciling" });
    // Whoever looks is told that there is nothing but this process's memory.
    const inMemory = /The only token that works is in this process's memory/;
    await sidecar.renewalSays({ last_end: { kind: "not-stored", detail: expect.stringMatching(inMemory) } });
    const admin = `127.0.0.1:${sidecar.adminPort}`;
    const doctor = await runCli(["doctor"], { env: bench.env({ PRESTO_ADMIN_LISTEN: admin }) });
    expect(doctor.out).toMatch(/^FAIL {2}store .*The only token that works is in this process's memory/m);
    expect([69, 77]).toContain(doctor.code);
    const toldAt = performance.now();
    sidecar.kill("SIGTERM");
    expect(await sidecar.ended).toBe(1);
    expect(performance.now() - toldAt).toBeGreaterThanOrEqual(2_900);
    const said = sidecar.lines().map(({ level, msg }) => `${String(level)}: ${String(msg)}`);
    expect(said).toContainEqual(
      expect.stringMatching(/^warn: The only token that works is in this process's memory/),
    );
    expect(said).toContainEqual(
      expect.stringMatching(/^error: The only token that works could not be stored/),
    );
    expect(said.join("\n")).not.toContain("Calls were cut off");
    expect(said).toContainEqual(expect.stringMatching(/^warn: .*no call was cut off/));
    disk.free();
    const next = await serve({ PRESTO_SETTLE: "60s" });
    // The intent in the record says that this was the only call: no need to wait PRESTO_SETTLE.
    expect((await next.call()).status).toBe(200);
    await eventually(bench.record).toMatchObject({ generation: 2, intent: null, unexplainedDeaths: [] });
    expect(bench.issues()).toBe(2);
  });

  it("that becomes read-only: nothing is revoked, a start serves all the same, and then the renewal works", async () => {
    const sidecar = await openOnDisk();
    await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
    disk.mount("ro");
    await nothingBegun(bench, sidecar, /EROFS/);
    await sidecar.close();
    const next = await serve();
    expect((await next.readyz()).status).toBe(200);
    await nothingBegun(bench, next, /EROFS/);
    disk.mount("rw");
    expect(await next.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
  });
});

/** Can the built program be run as somebody whom permissions bind? A checkout of root's may be closed to others. */
const canRunAsUser = (await runCli(["--version"], asUser)).code === 0;

describe.runIf(canRunAsUser)("a folder", () => {
  let folder: OwnFolder;

  const serveAsUser = (): Promise<IssuingProgram> =>
    bench.serve({ PRESTO_CA_FILE: join(folder.path, "ca.pem") }, startBuilt(asUser));

  /** The first token is stored by the program itself, so that all files are its own. */
  async function openInOwnFolder(): Promise<IssuingProgram> {
    folder = createOwnFolder();
    onTestFinished(folder.remove);
    await open({ place: folder.path, stored: "none" });
    copyFileSync(bench.caFile, join(folder.path, "ca.pem"));
    const sidecar = await serveAsUser();
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    return sidecar;
  }

  it("that may not be written to: nothing is revoked, and once it may the renewal works", async () => {
    const sidecar = await openInOwnFolder();
    folder.mode(0o500);
    await nothingBegun(bench, sidecar, /EACCES/);
    folder.mode(0o700);
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
  });

  it("whose permissions are taken away between intent and store: the new token is served, and stored later", async () => {
    const sidecar = await openInOwnFolder();
    const renewal = await renewalHeld(bench, sidecar);
    folder.mode(0o500);
    renewal.answer();
    await sidecar.renewalSays({ state: "reconciling" });
    await eventually(() => warnings(sidecar)).toMatch(/EACCES/);
    expect((await sidecar.call()).status).toBe(200);
    folder.mode(0o700);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    await sidecar.close();
    // What the next start reads is what was stored.
    const next = await serveAsUser();
    expect((await next.call()).status).toBe(200);
    await eventually(next.status).toMatchObject({
      generation: 2,
      renewal: { last_end: { kind: "nothing-to-do" } },
    });
    expect(bench.issues()).toBe(2);
  });

  it.each(["lock", "write-lock"])(
    "whose %s may not be written to: it locks nothing, and nothing is revoked",
    async (lock) => {
      const sidecar = await openInOwnFolder();
      chmodSync(`${bench.path}.${lock}`, 0o400);
      await nothingBegun(bench, sidecar, /lock file/);
      chmodSync(`${bench.path}.${lock}`, 0o600);
      expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
    },
  );

  it("that may not even be looked into: the token in hand goes on serving", async () => {
    const sidecar = await openInOwnFolder();
    folder.mode(0o000);
    await nothingBegun(bench, sidecar, /EACCES/);
    folder.mode(0o700);
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
  });
});
