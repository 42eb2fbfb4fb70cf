import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runCli, startCli } from "../support/built-cli.ts";

let folder: string;
let full: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "full-disk-"));
  full = openSync("/dev/full", "w");
});
afterEach(() => {
  closeSync(full);
  rmSync(folder, { recursive: true, force: true });
});

describe.runIf(existsSync("/dev/full"))("where standard output can't be written", () => {
  it("a command whose answer is lost does not end as if it had given it", async () => {
    for (const line of ["keygen", "start --help"])
      expect((await runCli(line.split(" "), { stdout: full })).code).toBe(71);
  });

  it("a sidecar goes on serving, and its exit code is that of its drain", async () => {
    const env = {
      PRESTO_URL: "https://presto.invalid",
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: "off",
    };
    const sidecar = startCli(["start"], { env, stdout: full });
    try {
      expect((await runCli(["wait", "--timeout", "30s"], { env })).code).toBe(0);
      expect((await runCli(["healthcheck"], { env })).code).toBe(0);
      sidecar.child.kill("SIGTERM");
      expect(await sidecar.ended).toBe(0);
    } finally {
      sidecar.child.kill("SIGKILL");
    }
  });
});
