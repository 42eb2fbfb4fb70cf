import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";

import { afterEach, describe, expect, it } from "vitest";

import { type DemoStage, openDemoStage } from "../../../src/cli/demo-stage.ts";
import { demonstrateTopUp } from "../../../src/cli/demo.ts";
import { runCommand } from "../../../src/cli/run.ts";
import { createTestIo } from "../../support/command-io.ts";

function leftFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("presto-sidecar-demo-"));
}

describe("the demo", () => {
  it("moves the money exactly once, tells each step, and leaves nothing behind", async () => {
    const before = leftFolders();
    const { io, out, err } = createTestIo();
    expect(await runCommand(["demo", "--once"], io)).toBe(0);
    expect(err()).toBe("");
    expect(out()).toContain("The money moved exactly once.");
    expect(out().match(/^ +out +200 +Presto-Outcome: answered +X-Request-Id: \S+/gm)).toHaveLength(3);
    for (const path of ["wallet/init", "wallet/confirm", "wallet/transaction/TRX"])
      expect(out()).toContain(path);
    expect(out()).toContain("curl -i http://127.0.0.1:");
    expect(leftFolders()).toEqual(before);
  });

  it("stays up on a terminal until it is stopped", async () => {
    const test = createTestIo({ terminal: true });
    const running = runCommand(["demo"], test.io);
    await expect.poll(test.out).toContain("Ctrl-C ends both.");
    const [, admin = ""] = /curl (http:\/\/127\.0\.0\.1:\d+)\/status/.exec(test.out()) ?? [];
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);
    test.stop(new Error("stop"));
    expect(await running).toBe(0);
    await expect(fetch(`${admin}/readyz`)).rejects.toThrow("fetch failed");
  });

  it("finds other ports when its own are taken", async () => {
    const takers = await Promise.all(
      [7443, 7380, 7381, 7382].map(async (port) => {
        const server = createServer();
        server.once("error", () => {});
        server.listen(port, "127.0.0.1");
        await Promise.race([once(server, "listening"), once(server, "error")]);
        return server;
      }),
    );
    try {
      expect(await runCommand(["demo", "--once"], createTestIo().io)).toBe(0);
    } finally {
      for (const server of takers) server.close();
    }
  });

  it("ends with 78 in an environment that would lay TLS open", async () => {
    const { io, err } = createTestIo({ env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } });
    expect(await runCommand(["demo", "--once"], io)).toBe(78);
    expect(err()).toContain("NODE_TLS_REJECT_UNAUTHORIZED");
  });
});

describe("its judgement", () => {
  let stage: DemoStage | undefined;
  afterEach(async () => {
    await stage?.close();
    stage = undefined;
  });

  async function open(): Promise<DemoStage> {
    stage = await openDemoStage(createTestIo().io);
    return stage;
  }

  it("finds no fault in a sound run", async () => {
    expect((await demonstrateTopUp(createTestIo().io, await open())).faults).toEqual([]);
  });

  it("finds that the token was dead", async () => {
    const opened = await open();
    opened.sandbox.mintToken();
    const { faults } = await demonstrateTopUp(createTestIo().io, opened);
    expect(faults.join("\n")).toContain("answered 401");
  });

  it("finds that money moved twice", async () => {
    const opened = await open();
    const { io } = createTestIo();
    await demonstrateTopUp(io, opened);
    const { faults } = await demonstrateTopUp(io, opened);
    expect(faults).toContain("The money moved 2 times.");
  });

  it("finds a call that came without the token", async () => {
    const opened = await open();
    const bare = {
      method: "GET",
      target: "/bare",
      rawHeaders: ["Host", "x"],
      body: Buffer.alloc(0),
      address: "127.0.0.1",
      connection: 9,
    };
    const lying = {
      ...opened,
      sandbox: Object.assign(Object.create(opened.sandbox), {
        received: () => [...opened.sandbox.received(), bare],
      }),
    };
    const { faults } = await demonstrateTopUp(createTestIo().io, lying);
    expect(faults).toContain("GET /bare came without the token.");
    expect(faults).toContain("Presto received 4 calls, and three were made.");
  });
});
