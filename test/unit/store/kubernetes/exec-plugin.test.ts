import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import { createPluginSource, type PluginSource } from "../../../../src/store/kubernetes/exec-plugin.ts";
import { createFastClock } from "../../../support/fast-clock.ts";
import { createJumpingClock } from "../../../support/jumping-clock.ts";
import { until } from "../../../support/until.ts";

describe("program that gives credentials", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "plugin-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** A shell script; each of its runs leaves a line. */
  async function plugin(script: string, clock = systemClock): Promise<PluginSource> {
    const command = join(folder, "plugin");
    await writeFile(command, `#!/bin/sh\necho run >> ${folder}/runs\n${script}\n`);
    await chmod(command, 0o755);
    return createPluginSource(
      {
        command,
        args: ["argument"],
        env: { GIVEN: "yes" },
        apiVersion: "client.authentication.k8s.io/v1",
        cluster: undefined,
      },
      { environment: { PATH: process.env["PATH"], HOME: "/home/me" }, clock },
    );
  }

  async function runs(): Promise<number> {
    return (await readFile(join(folder, "runs"), "utf8")).split("\n").length - 1;
  }

  function gives(status: object): string {
    return `echo '${JSON.stringify({ kind: "ExecCredential", status })}'`;
  }

  it("is run once for all who wait, and what it gave is kept", async () => {
    const source = await plugin(`sleep 0.1; ${gives({ token: "abc" })}`);
    const all = await Promise.all([source.credentials(), source.credentials(), source.credentials()]);
    expect(all.map(({ token }) => token)).toEqual(["abc", "abc", "abc"]);
    expect((await source.credentials()).token).toBe("abc");
    expect(await runs()).toBe(1);
  });

  it("is told what it needs, and gets neither a terminal nor anything of ours", async () => {
    const source = await plugin(
      `{ env; echo "args=$*"; (: < /dev/tty) 2>/dev/null && echo has-a-terminal; cat; } > ${folder}/seen; ${gives({ token: "abc" })}`,
    );
    await source.credentials();
    const seen = await readFile(join(folder, "seen"), "utf8");
    expect(seen).toContain("GIVEN=yes\n");
    expect(seen).toContain("HOME=/home/me\n");
    expect(seen).toContain("args=argument\n");
    expect(seen).toContain(
      'KUBERNETES_EXEC_INFO={"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}',
    );
    expect(seen).not.toContain("has-a-terminal");
    expect(seen).not.toContain("VITEST");
  });

  it("is run again shortly before what it gave ends", async () => {
    const clock = createJumpingClock();
    const soon = new Date(Date.now() + 60_000).toISOString();
    const source = await plugin(gives({ token: "abc", expirationTimestamp: soon }), clock);
    await source.credentials();
    await source.credentials();
    expect(await runs()).toBe(1);
    // Less than ten seconds before that.
    clock.jump(52_000);
    await source.credentials();
    expect(await runs()).toBe(2);
  });

  it("is not run for each request where this machine's clock says that all it gives has ended", async () => {
    const ended = new Date(Date.now() - 3_600_000).toISOString();
    const clock = createJumpingClock();
    const source = await plugin(gives({ token: "abc", expirationTimestamp: ended }), clock);
    for (let time = 0; time < 5; time += 1) expect((await source.credentials()).token).toBe("abc");
    expect(await runs()).toBe(1);
    clock.jump(15_000);
    await source.credentials();
    expect(await runs()).toBe(2);
  });

  it("is run again when what it gave was refused, but not all the time", async () => {
    const clock = createJumpingClock();
    const source = await plugin(gives({ token: "abc" }), clock);
    await source.credentials();
    source.refused();
    await source.credentials();
    expect(await runs()).toBe(1);
    clock.jump(15_000);
    source.refused();
    await source.credentials();
    expect(await runs()).toBe(2);
  });

  it("gives a client certificate", async () => {
    const source = await plugin(gives({ clientCertificateData: "C", clientKeyData: "K" }));
    expect(await source.credentials()).toEqual({ token: undefined, certificate: { cert: "C", key: "K" } });
  });

  it("is ended with all that it started when its time is over", async () => {
    const source = await plugin(`sleep 60 & echo $! > ${folder}/child; wait`, createFastClock(10));
    await expect(source.credentials()).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("did not end within 30 s"),
    });
    const child = Number(await readFile(join(folder, "child"), "utf8"));
    await until(async () => ((await isRunning(child)) ? undefined : true), {
      withinMs: 20_000,
      what: "its child ends",
    });
  });

  it.each([
    ["exit 3", "ended with exit code 3"],
    ["echo MARKED", "gave no ExecCredential"],
    [gives({}), "neither a token nor a client certificate"],
    [gives({ token: "two words MARKED" }), "neither a token nor a client certificate"],
  ])(
    "that says %j fails with a sentence that quotes nothing, and is not asked again at once",
    async (script, why) => {
      const source = await plugin(`echo MARKED >&2; ${script}`);
      for (let time = 0; time < 3; time += 1) {
        const end: unknown = await source.credentials().catch((error: unknown) => error);
        expect(end).toMatchObject({ name: "StoreError", message: expect.stringContaining(why) });
        expect(String(end)).not.toContain("MARKED");
      }
      expect(await runs()).toBe(1);
    },
  );

  it("says of one that is not there how it was not found", async () => {
    const source = createPluginSource(
      { command: "/no/such/program", args: [], env: {}, apiVersion: "", cluster: undefined },
      { environment: {}, clock: systemClock },
    );
    await expect(source.credentials()).rejects.toMatchObject({ message: expect.stringContaining("ENOENT") });
  });
});

/** One that has ended and that nobody has taken away yet does not run. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !stat.includes(") Z ");
}
