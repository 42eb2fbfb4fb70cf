import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** The built program as the image has it: beside all packages but the optional ones. */
describe("where the sandbox's library is left out", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "left-out-"));
    for (const name of ["dist", "package.json"]) {
      cpSync(join(repository, name), join(folder, name), { recursive: true });
    }
    mkdirSync(join(folder, "node_modules"));
    for (const name of readdirSync(join(repository, "node_modules"))) {
      if (name === "@peculiar" || name.startsWith(".")) continue;
      symlinkSync(join(repository, "node_modules", name), join(folder, "node_modules", name));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...argv: string[]) =>
    spawnSync(process.execPath, [join(folder, "dist/main.js"), ...argv], { encoding: "utf8", env: {} });

  it.each(["sandbox", "demo"])("%s ends with 64 before it does anything, and says where it is", (command) => {
    const { status, stdout, stderr } = run(command);
    expect([status, stdout]).toEqual([64, ""]);
    expect(stderr).toMatch(/@peculiar\/x509.*npm run demo.*docker build --target sandbox/);
  });

  it("all other commands are there", () => {
    expect(run("keygen")).toMatchObject({ status: 0, stderr: "" });
    expect(run("start")).toMatchObject({ status: 78, stdout: expect.stringContaining("PRESTO_URL") });
  });
});
