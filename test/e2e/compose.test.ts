import { spawn, spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";

import { examineConfig } from "../../src/config/load.ts";
import { freePort } from "../support/free-ports.ts";
import { type RunningContainer, startImage, unpackedImage } from "../support/run-image.ts";

const examples = fileURLToPath(new URL("../../docs/examples", import.meta.url));
const text = readFileSync(join(examples, "compose.yaml"), "utf8");
const { services, volumes } = parse(text);
/** Reads a file as Docker Compose does, and says what is wrong with it: tools/ci/image.sh puts it there. */
const { COMPOSE_SPEC: validator } = process.env;

describe("the compose file", () => {
  it.runIf(validator)("is one, by Compose's own reader", () => {
    const read = spawnSync(validator ?? "", [join(examples, "compose.yaml")], { encoding: "utf8" });
    expect([read.status, read.stderr]).toEqual([0, ""]);
    const wrong = spawnSync(validator ?? "", ["--", "/dev/stdin"], {
      encoding: "utf8",
      input: text.replace("read_only:", "read_olny:"),
    });
    expect(wrong.status).not.toBe(0);
  });

  it("has a sidecar that starts with these variables, whose stop outlasts its drain", () => {
    expect(examineConfig(services.sidecar.environment, []).problems).toEqual([]);
    expect(services.sidecar.stop_grace_period).toBe("30s");
    expect(services.sidecar).not.toHaveProperty("ports");
  });

  it("gives neither of our containers anything that it does not need, and the app no token", () => {
    for (const service of [services.sandbox, services.sidecar])
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
    expect(JSON.stringify(services.wallet)).not.toMatch(/sandbox:|token/i);
    expect(Object.keys(volumes)).toEqual(["sandbox"]);
  });
});

const sandboxImage = unpackedImage("SANDBOX_IMAGE");
const sidecarImage = unpackedImage("SIDECAR_IMAGE");

describe.skipIf(sandboxImage === undefined || sidecarImage === undefined)("what it starts", () => {
  const containers: RunningContainer[] = [];
  let volume = "";
  beforeAll(() => {
    volume = mkdtempSync(join(tmpdir(), "compose-"));
    chownSync(volume, 65532, 65532);
  });
  afterAll(async () => {
    for (const container of containers) container.kill();
    await Promise.all(containers.map(({ ended }) => ended));
    rmSync(volume, { recursive: true });
  });

  it("tops up a wallet", async () => {
    if (sandboxImage === undefined || sidecarImage === undefined) return;
    const [port, control, proxy, admin] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    // Its own ports may be taken on this machine.
    const here = (word: string): string =>
      word.replace("9443", `${port}`).replace("9444", `${control}`).replace("7380", `${proxy}`);
    const start = (image: typeof sandboxImage, run: Parameters<typeof startImage>[1]) => {
      const container = startImage(image, run);
      containers.push(container);
      return container;
    };
    const sandbox = start(sandboxImage, {
      args: services.sandbox.command.map(here),
      user: services.sandbox.user,
      volume,
    });
    const [, ...check] = services.sandbox.healthcheck.test;
    await vi.waitUntil(() => sandbox.out().includes("Ctrl-C"), 15_000);
    const healthy = start(sandboxImage, { entrypoint: check, args: [], user: services.sandbox.user, volume });
    expect([await healthy.ended, healthy.err()]).toEqual([0, ""]);
    const given = Object.entries<string>(services.sidecar.environment);
    const env = {
      ...Object.fromEntries(given.map(([name, value]) => [name, here(value)])),
      PRESTO_LISTEN: `127.0.0.1:${proxy}`,
      PRESTO_ADMIN_LISTEN: `127.0.0.1:${admin}`,
    };
    start(sidecarImage, { env, volume });
    const [node, ...app] = services.wallet.command;
    expect(node).toBe("node");
    const wallet = spawn(
      process.execPath,
      app.map((word: string) => word.replace("/app", examples)),
      {
        env: { PRESTO_BASE_URL: here(services.wallet.environment.PRESTO_BASE_URL) },
      },
    );
    let said = "";
    wallet.stdout.on("data", (chunk) => (said += String(chunk)));
    await vi.waitUntil(() => said.includes("confirm"), 20_000);
    wallet.kill("SIGTERM");
    expect(said).toContain("init 200 answered\nconfirm 200 answered\n");
  });
});
