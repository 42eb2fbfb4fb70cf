import { dirname } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { echo } from "../support/held-presto.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { exchange } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { canStick, createStuckMount } from "../support/stuck-mount.ts";
import type { StuckMount } from "../support/stuck-mount.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

let presto: RawPresto;
let mount: StuckMount;
let stage: ProgramStage;
let sidecar: WatchedCli;

beforeEach(async () => {
  presto = await startRawPresto();
  presto.answer((request) => void request.socket.write(echo(request)));
  mount = await createStuckMount();
  mount.write("token", "token-one");
  mount.write("ca.pem", presto.authority.certPem);
  stage = await openProgramStage(
    { url: presto.url, caPem: presto.authority.certPem },
    { PRESTO_CA_FILE: mount.path("ca.pem"), PRESTO_TOKEN_FILE: mount.path("token") },
  );
});

afterEach(async () => {
  mount.goOn();
  await stage.close();
  await mount.remove();
  await presto.close();
});

const wait = async (): Promise<number | null> => (await stage.run(["wait"])).code;
const live = async (): Promise<number> =>
  (await exchange({ path: stage.at("admin") }, getCall("/livez", "Connection: close"))).status;
const call = () => exchange({ path: stage.at("proxy") }, queryCall("T"));
/** Ends it, and tells how long that took. */
async function endedAfter(): Promise<{ readonly code: number | null; readonly ms: number }> {
  const begun = systemClock.monotonic();
  sidecar.child.kill("SIGTERM");
  const code = await sidecar.ended;
  return { code, ms: systemClock.monotonic() - begun };
}

describe.runIf(await canStick())("a mount that does not answer any more", () => {
  it("stops no call, no liveness and no end; it is told which, and looked at again when it answers", async () => {
    sidecar = stage.start();
    expect(await wait()).toBe(0);
    mount.stop();
    // Longer than between two looks, and than a look may take.
    const until = systemClock.monotonic() + 12_000;
    let slowest = 0;
    while (systemClock.monotonic() < until) {
      const begun = systemClock.monotonic();
      expect((await call()).status).toBe(200);
      expect(await live()).toBe(200);
      slowest = Math.max(slowest, systemClock.monotonic() - begun);
      await systemClock.sleep(50);
    }
    expect(slowest).toBeLessThan(6_000);
    expect(sidecar.out()).toContain(`The file system under ${dirname(mount.path("token"))} does not answer`);
    expect((await stage.run(["healthcheck"])).code).toBe(0);

    mount.write("token", "token-two");
    mount.goOn();
    await expect.poll(() => sidecar.out(), { timeout: 40_000 }).toContain("A file system answers again.");
    await expect.poll(async () => (await call()).status, { timeout: 40_000 }).toBe(200);
    await expect
      .poll(
        async () => {
          await call();
          return JSON.stringify(presto.requests.at(-1)).includes("token-two");
        },
        { timeout: 40_000 },
      )
      .toBe(true);
  });

  it("does not keep the process from ending", async () => {
    sidecar = stage.start();
    expect(await wait()).toBe(0);
    mount.stop();
    await expect
      .poll(() => sidecar.out(), { timeout: 40_000 })
      .toContain("does not answer. What was read from it goes on serving.");
    const { code, ms } = await endedAfter();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(20_000);
  });

  it("keeps neither a call nor the end, where the runtime has one thread for files", async () => {
    sidecar = stage.start({ UV_THREADPOOL_SIZE: "1" });
    expect(await wait()).toBe(0);
    mount.stop();
    await systemClock.sleep(6_000);
    expect((await call()).status).toBe(200);
    const { code, ms } = await endedAfter();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(20_000);
  });

  it("leaves a sidecar that starts live and not ready, until it answers", async () => {
    const outside = { PRESTO_CA_FILE: stage.at("ca.pem") };
    mount.stop();
    sidecar = stage.start(outside);
    await expect.poll(() => sidecar.out(), { timeout: 40_000 }).toContain("The sidecar listens.");
    expect(await live()).toBe(200);
    expect((await call()).status).toBe(503);
    expect(sidecar.out()).toContain("its file system does not answer");
    mount.goOn();
    expect((await stage.run(["wait"], outside)).code).toBe(0);
    expect((await call()).status).toBe(200);
  });
});
