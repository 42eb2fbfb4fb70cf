import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createLab, whatLabLacks } from "../support/network-lab.ts";
import type { Lab, LabHost, LabProcess } from "../support/network-lab.ts";
import { exchange } from "../support/raw-caller.ts";
import { sourceOf } from "../support/source-path.ts";
import { getCall } from "../support/wallet-call.ts";

const lack = whatLabLacks(["ip"]);

describe.skipIf(lack !== undefined)("PRESTO_LISTEN on a machine without IPv6", () => {
  let lab: Lab;
  let host: LabHost;
  let folder: string;

  beforeEach(() => {
    lab = createLab();
    host = lab.host("old");
    host.ip("-6 address flush dev lo");
    folder = mkdtempSync(join(tmpdir(), "presto-families-"));
  });
  afterEach(async () => {
    await lab.close();
    rmSync(folder, { recursive: true });
  });

  function start(listen: string, more: Readonly<Record<string, string>> = {}): LabProcess {
    return host.start(process.execPath, [sourceOf("src/main.ts"), "start"], {
      PRESTO_URL: "https://presto.invalid",
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: listen,
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: "off",
      ...more,
    });
  }

  it.each(["[::1]:7380", "::1:7380"])(
    "passes over %s where another is bound, and says so",
    async (address) => {
      const sidecar = start(`${address},unix:${join(folder, "proxy")}`);
      await sidecar.says("The sidecar listens.");
      expect(sidecar.output()).toMatch(/"level":"warn".*\[::1\]:7380.*family that this machine lacks/);
      expect((await exchange({ path: join(folder, "proxy") }, getCall("/nothing"))).status).toBe(403);
    },
  );

  it("ends with 71 where nothing else is bound", async () => {
    const sidecar = start("[::1]:7380");
    await sidecar.says("Cannot listen on [::1]:7380");
    await expect.poll(() => sidecar.child.exitCode).toBe(71);
  });

  it("ends with 71 where an address is missing whose family is there", async () => {
    const sidecar = start("127.0.0.1:7380,192.0.2.7:7380", { PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes" });
    await sidecar.says("Cannot listen on 192.0.2.7:7380");
    await expect.poll(() => sidecar.child.exitCode).toBe(71);
  });
});
