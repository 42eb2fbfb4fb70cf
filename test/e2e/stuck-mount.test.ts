import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { runCli, startCli } from "../support/built-cli.ts";
import type { RunningCli } from "../support/built-cli.ts";
import { echo } from "../support/held-presto.ts";
import { exchange } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { canStick, createStuckMount } from "../support/stuck-mount.ts";
import type { StuckMount } from "../support/stuck-mount.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";

let folder: string;
let presto: RawPresto;
let mount: StuckMount;
let env: Record<string, string>;
let sidecar: RunningCli;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "beside-mount-"));
  presto = await startRawPresto();
  presto.answer((request) => void request.socket.write(echo(request)));
  mount = await createStuckMount();
  mount.write("token", "token-one");
  mount.write("ca.pem", presto.authority.certPem);
  writeFileSync(join(folder, "ca.pem"), presto.authority.certPem);
  env = {
    PRESTO_URL: presto.url,
    PRESTO_CA_FILE: mount.path("ca.pem"),
    PRESTO_TOKEN_FILE: mount.path("token"),
    PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
    PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
  };
});

afterEach(async () => {
  mount.goOn();
  sidecar.child.kill("SIGKILL");
  await sidecar.ended;
  await mount.remove();
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const wait = async (): Promise<number | null> => (await runCli(["wait"], { env })).code;
const live = async (): Promise<number> =>
  (await exchange({ path: join(folder, "admin") }, getCall("/livez", "Connection: close"))).status;
const call = () => exchange({ path: join(folder, "proxy") }, queryCall("T"));
/** Ends it, and tells how long that took. */
async function endedAfter(): Promise<{ readonly code: number | null; readonly ms: number }> {
  const begun = systemClock.monotonic();
  sidecar.child.kill("SIGTERM");
  const code = await sidecar.ended;
  return { code, ms: systemClock.monotonic() - begun };
}

describe.runIf(await canStick())("a mount that does not answer any more", () => {
  it("stops no call, no liveness and no end; it is told which, and looked at again when it answers", async () => {
    sidecar = startCli(["start"], { env });
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
    expect(slowest).toBeLessThan(2_000);
    expect(sidecar.out()).toContain(`The file system under ${dirname(mount.path("token"))} does not answer`);
    expect((await runCli(["healthcheck"], { env })).code).toBe(0);

    mount.write("token", "token-two");
    mount.goOn();
    await expect.poll(() => sidecar.out(), { timeout: 15_000 }).toContain("A file system answers again.");
    await expect.poll(async () => (await call()).status, { timeout: 15_000 }).toBe(200);
    await expect
      .poll(
        async () => {
          await call();
          return JSON.stringify(presto.requests.at(-1)).includes("token-two");
        },
        { timeout: 15_000 },
      )
      .toBe(true);
  });

  it("does not keep the process from ending", async () => {
    sidecar = startCli(["start"], { env });
    expect(await wait()).toBe(0);
    mount.stop();
    await expect
      .poll(() => sidecar.out(), { timeout: 20_000 })
      .toContain("does not answer. What was read from it goes on serving.");
    const { code, ms } = await endedAfter();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });

  it("keeps neither a call nor the end, where the runtime has one thread for files", async () => {
    env = { ...env, UV_THREADPOOL_SIZE: "1" };
    sidecar = startCli(["start"], { env });
    expect(await wait()).toBe(0);
    mount.stop();
    await systemClock.sleep(6_000);
    expect((await call()).status).toBe(200);
    const { code, ms } = await endedAfter();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });

  it("leaves a sidecar that starts live and not ready, until it answers", async () => {
    env = { ...env, PRESTO_CA_FILE: join(folder, "ca.pem") };
    mount.stop();
    sidecar = startCli(["start"], { env });
    await expect.poll(() => sidecar.out(), { timeout: 20_000 }).toContain("The sidecar listens.");
    expect(await live()).toBe(200);
    expect((await call()).status).toBe(503);
    expect(sidecar.out()).toContain("its file system does not answer");
    mount.goOn();
    expect(await wait()).toBe(0);
    expect((await call()).status).toBe(200);
  });
});
