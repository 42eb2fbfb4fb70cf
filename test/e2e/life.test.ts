import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { runCli, startCli, type CliResult, type RunningCli } from "../support/built-cli.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import { initCall } from "../support/wallet-call.ts";

let sandbox: Sandbox;
let folder: string;
let running: RunningCli[];

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
});
afterAll(() => sandbox.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "life-"));
  writeFileSync(join(folder, "ca.pem"), sandbox.caPem);
  running = [];
});
afterEach(async () => {
  for (const { child, ended } of running) {
    child.kill("SIGKILL");
    await ended;
  }
  sandbox.reset();
  rmSync(folder, { recursive: true, force: true });
});

/** A busy machine starts a process in seconds. */
const patience = { timeout: 40_000 };

/** All listeners are Unix sockets: no port can be taken. */
function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: join(folder, "ca.pem"),
    PRESTO_TOKEN: sandbox.token,
    PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
    PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
    ...more,
  };
}

async function start(env = environment()): Promise<RunningCli> {
  const sidecar = startCli(["start"], { env });
  running.push(sidecar);
  const waited = await tell("wait", "--timeout", "30s");
  if (waited.code !== 0) throw new Error(`not ready: ${waited.err}${sidecar.err()}${sidecar.out()}`);
  return sidecar;
}

function tell(...argv: string[]): Promise<CliResult> {
  return runCli(argv, { env: environment() });
}

/** A call through the sidecar: its status, or 0 if the connection was cut. */
function call(): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({
      socketPath: join(folder, "proxy"),
      path: "/api/institutions/v1/wallet/transaction/TRX000000000",
      agent: false,
    });
    asked.once("error", () => resolve(0));
    asked.once("response", (response) => {
      response.resume().once("error", () => {});
      resolve(response.statusCode ?? 0);
    });
    asked.end();
  });
}

/** A call that Presto holds back, begun and seen by Presto. */
async function heldCall(): Promise<{ readonly status: Promise<number>; release(): void }> {
  const { id } = sandbox.setFault({ kind: "hold" });
  const seen = sandbox.received().length;
  const status = call();
  await expect.poll(() => sandbox.received().length, patience).toBe(seen + 1);
  return { status, release: () => void sandbox.removeFault(id) };
}

describe("a running sidecar", () => {
  it("is ready, alive, and shows its status; its sockets are for their owner alone", async () => {
    await start();
    expect(await tell("healthcheck")).toEqual({ code: 0, out: "", err: "" });
    expect(await tell("healthcheck", "--live")).toEqual({ code: 0, out: "", err: "" });
    expect(JSON.parse((await tell("status", "--json")).out)).toMatchObject({
      role: "proxy",
      store: "env",
      in_flight: 0,
      queued: 0,
      under_way: 0,
    });
    expect((await tell("status")).out).toMatch(/^Ready\. presto-sidecar \S+, role proxy, up for /m);
    for (const name of ["proxy", "admin", "control"])
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    expect(await call()).toBe(404);
  });

  // TLS tells of the end of a write a turn later than the answer of a quick Presto comes.
  it("keeps its connections to a Presto that answers at once, however many call", async () => {
    await start();
    const before = sandbox.state().connections;
    for (let wave = 0; wave < 10; wave += 1)
      expect(await Promise.all(Array.from({ length: 16 }, call))).toEqual(Array(16).fill(404));
    // One for each that calls at the same time, and spares.
    expect(sandbox.state().connections - before).toBeLessThanOrEqual(20);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "drains at %s: finishes what is in flight, then ends with 0",
    async (signal) => {
      const sidecar = await start();
      const held = await heldCall();
      sidecar.child.kill(signal);
      await expect.poll(async () => (await tell("healthcheck")).code, patience).toBe(1);
      held.release();
      expect(await held.status).toBe(404);
      expect(await sidecar.ended).toBe(0);
      for (const name of ["proxy", "admin", "control"])
        expect(() => statSync(join(folder, name))).toThrow("ENOENT");
    },
  );

  it("ends with 1 when calls were cut off at PRESTO_DRAIN_MAX", async () => {
    const sidecar = await start(environment({ PRESTO_DRAIN_MAX: "100ms" }));
    const held = await heldCall();
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(1);
    await held.status;
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("ends at once at a second %s, with %i", async (signal, code) => {
    const sidecar = await start();
    await heldCall();
    sidecar.child.kill("SIGTERM");
    await expect.poll(async () => (await tell("healthcheck")).code, patience).toBe(1);
    sidecar.child.kill(signal);
    expect(await sidecar.ended).toBe(code);
  });

  it("goes on accepting for PRESTO_DRAIN_MIN", async () => {
    const sidecar = await start(environment({ PRESTO_DRAIN_MIN: "20s" }));
    sidecar.child.kill("SIGTERM");
    await expect.poll(async () => (await tell("healthcheck")).code, patience).toBe(1);
    expect(await call()).toBe(404);
  });

  it("reads its files again at SIGHUP, and goes on", async () => {
    const sidecar = await start();
    sidecar.child.kill("SIGHUP");
    await expect.poll(sidecar.out, patience).toContain("SIGHUP");
    expect(await call()).toBe(404);
  });

  it("opens no inspector at SIGUSR1", async () => {
    const sidecar = await start();
    sidecar.child.kill("SIGUSR1");
    // A signal that comes later and shows: by then the first was dealt with.
    sidecar.child.kill("SIGHUP");
    await expect.poll(sidecar.out, patience).toContain("SIGHUP");
    expect(sidecar.err()).not.toContain("Debugger");
  });

  it("drains when told to: waits for what is in flight, and stays up", async () => {
    await start();
    const held = await heldCall();
    expect(await tell("drain", "--timeout", "300ms")).toMatchObject({ code: 75, out: "" });
    expect(await call()).toBe(503);
    const draining = tell("drain");
    held.release();
    expect(await draining).toEqual({ code: 0, out: "", err: "" });
    expect((await tell("healthcheck", "--live")).code).toBe(0);
    expect((await tell("healthcheck")).code).toBe(1);
  });

  it("is not drained while the body of a call still comes, for it is sent when it has", async () => {
    await start();
    const caller = await openRawCaller({ path: join(folder, "proxy") });
    const whole = initCall();
    caller.send(whole.slice(0, -1));
    await expect
      .poll(async () => JSON.parse((await tell("status", "--json")).out), patience)
      .toMatchObject({ in_flight: 0, queued: 0, under_way: 1 });
    expect(await tell("drain", "--timeout", "300ms")).toMatchObject({ code: 75, out: "" });
    const draining = tell("drain");
    caller.send(whole.slice(-1));
    expect((await caller.answers(1))[0]?.status).toBe(200);
    expect(await draining).toEqual({ code: 0, out: "", err: "" });
    caller.close();
  });

  it("quits when told to, with 0", async () => {
    const sidecar = await start();
    expect(await tell("quit")).toEqual({ code: 0, out: "", err: "" });
    expect(await sidecar.ended).toBe(0);
  });

  it("is respected by a second one on the same socket, and replaced once it was killed", async () => {
    const first = await start();
    const second = await runCli(["start"], { env: environment() });
    expect(second.code).toBe(71);
    expect(second.err).toContain("another process listens there");
    first.child.kill("SIGKILL");
    await first.ended;
    expect(statSync(join(folder, "proxy")).isSocket()).toBe(true);
    await start();
    expect(await call()).toBe(404);
  });

  it("prints its token nowhere, at the most talkative level", async () => {
    const sidecar = await start(environment({ PRESTO_LOG_LEVEL: "trace" }));
    await call();
    await tell("quit");
    await sidecar.ended;
    expect(sidecar.out()).toContain("The sidecar listens.");
    expect(sidecar.out() + sidecar.err()).not.toContain(sandbox.token);
  });
});

describe("a sidecar that still waits for something", () => {
  let silent: Server;

  beforeEach(async () => {
    silent = createServer(() => {});
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
  });
  afterEach(() => silent.close());

  /** One whose check URLs say nothing, which is waited for, as long as it may take. */
  async function startWaiting(): Promise<RunningCli> {
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : 0;
    const env = environment({
      PRESTO_EGRESS_IPS: "203.0.113.7",
      PRESTO_EGRESS_CHECK_URL: `https://localhost:${port}/,https://127.0.0.1:${port}/`,
      PRESTO_TIMEOUT: "60s",
      PRESTO_CONNECT_TIMEOUT: "60s",
    });
    const sidecar = startCli(["start"], { env });
    running.push(sidecar);
    await expect.poll(() => existsSync(join(folder, "admin")), patience).toBe(true);
    return sidecar;
  }

  it("lives, and says that it starts", async () => {
    const sidecar = await startWaiting();
    expect((await tell("healthcheck", "--live")).code).toBe(0);
    const { code, err } = await tell("healthcheck");
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining("started: The sidecar is starting."),
    });
    expect(sidecar.out()).not.toContain("The sidecar listens.");
  });

  it("ends at SIGTERM with 0, and does not wait on", async () => {
    const { child, ended, out } = await startWaiting();
    const toldAt = performance.now();
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(performance.now() - toldAt).toBeLessThan(20_000);
    expect(out()).toContain("told to stop before it took calls");
    expect(existsSync(join(folder, "admin"))).toBe(false);
  });
});

describe("the sandbox", () => {
  it("says how to point a sidecar at it, and ends with 0 at SIGTERM", async () => {
    const stand = startCli(["sandbox"]);
    running.push(stand);
    await expect.poll(stand.out, patience).toContain("PRESTO_URL");
    stand.child.kill("SIGTERM");
    expect(await stand.ended).toBe(0);
    expect(stand.out()).toContain("has stopped");
  });

  it("ends with 71 where its port is taken", async () => {
    const { code, err } = await runCli(["sandbox", "--port", String(sandbox.port)]);
    expect(code).toBe(71);
    expect(err).toContain(String(sandbox.port));
  });
});

it("a socket's path that is too long ends with 78 before anything is opened", async () => {
  const { code, err } = await runCli(["start"], {
    env: environment({ PRESTO_LISTEN: `unix:/${"x".repeat(120)}` }),
  });
  expect(code).toBe(78);
  expect(err).toContain("107 bytes");
  expect(existsSync(join(folder, "admin"))).toBe(false);
});
