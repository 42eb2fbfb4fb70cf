import { PassThrough } from "node:stream";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runCommand } from "../../../src/cli/run.ts";
import { StopSignal } from "../../../src/cli/signals.ts";
import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { createSingleHostLock, renewalLockPath } from "../../../src/store/file/lock.ts";
import { createTestIo } from "../../support/command-io.ts";
import {
  createIssuingCommands,
  email,
  type IssuingCommands,
  password,
} from "../../support/issuing-commands.ts";
import { typedInput } from "../../support/typed-input.ts";

const issue = ["token", "issue"];
const renew = ["token", "renew"];
const path = "/api/institutions/v1/auth/token/issue";
const stopped = { reason: "Somebody else issues tokens.", at: new Date("2026-01-03T00:00:00.000Z") };

let commands: IssuingCommands;
beforeEach(async () => {
  commands = await createIssuingCommands();
  await commands.putCredentials({ email, password, pending: null });
});
afterEach(() => commands.close());

/** Is what is stored the live token? */
async function storesTheLiveToken(): Promise<boolean> {
  return (await commands.stored())?.token?.reveal() === commands.sandbox.token;
}

describe("token issue", () => {
  it("issues the first token, and says what that revokes", async () => {
    const { code, out, err } = await commands.run([...issue, "--yes"]);
    expect(code).toBe(0);
    expect(err).toMatch(/^Issuing revokes every token of the account at once.*The store holds none yet\.\n$/);
    expect(out).toContain("generation 1");
    expect(await commands.stored()).toMatchObject({ generation: 1, name: "presto-sidecar", intent: null });
    expect(await storesTheLiveToken()).toBe(true);
  });

  it("names the stored token before it revokes it", async () => {
    const first = commands.sandbox.token;
    await commands.importing(first, "--name", "ops", "--expires", "2099-02-22");
    const { code, err } = await commands.run([...issue, "--yes"]);
    expect(code).toBe(0);
    for (const part of ['"ops"', "generation 1", new Secret(first).fingerprint(), "2099-02-22T00:00:00.000Z"])
      expect(err).toContain(part);
    expect(await commands.stored()).toMatchObject({ generation: 2 });
    expect(await storesTheLiveToken()).toBe(true);
  });

  it("prints JSON for machines", async () => {
    const { out } = await commands.run([...issue, "--yes", "--json"]);
    const record = await commands.stored();
    expect(JSON.parse(out)).toEqual({
      renewed: true,
      generation: 1,
      expires_at: record?.expiresAt?.toISOString(),
      fingerprint: record?.token?.fingerprint(),
      name: "presto-sidecar",
    });
  });

  it("asks at a terminal, and goes on after yes alone", async () => {
    const { code, err } = await commands.run(issue, typedInput("yes\n"));
    expect(code).toBe(0);
    expect(err).toContain("Type yes to go on: ");
    expect(commands.calls("token/issue")).toBe(1);
  });

  it.each(["no\n", "y\n", "\n", ""])("issues nothing, and ends with 1, after %j", async (typed) => {
    const { code, out, err } = await commands.run(issue, typedInput(typed));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("Nothing was issued");
    expect(commands.calls("token/issue")).toBe(0);
    expect(await commands.stored()).toBeUndefined();
  });

  it("ends with the signal's code when it is stopped at the question", async () => {
    const never = Object.assign(new PassThrough(), { isTTY: true });
    const { io, stop, err } = createTestIo({ env: commands.env, stdin: never });
    const running = runCommand(issue, io);
    await expect.poll(err, { interval: 5 }).toContain("Type yes");
    stop(new StopSignal("SIGTERM"));
    expect(await running).toBe(143);
    expect(commands.calls("token/issue")).toBe(0);
  });

  it("without a terminal and without --yes is refused with 64, and says what to do", async () => {
    const { code, err } = await commands.run(issue);
    expect(code).toBe(64);
    expect(err).toContain("--yes");
    expect(commands.calls("token/issue")).toBe(0);
  });

  it("is refused with 77 while the alarm is on, unasked, and says what clears it", async () => {
    await commands.importing(commands.sandbox.token);
    await commands.change({ stopped });
    const { code, err } = await commands.run(issue, typedInput("never read"));
    expect(code).toBe(77);
    expect(err).toMatch(
      /^presto-sidecar: The alarm is on since 2026-01-03.*presto-sidecar token renew --force\n$/,
    );
    expect(commands.calls("token/issue")).toBe(0);
  });
});

describe.each([
  ["token issue", [...issue, "--yes"]],
  ["token renew without a sidecar", renew],
])("%s", (_name, argv) => {
  it("is refused with 77 in a role that can't issue, and says which can", async () => {
    const { code, err } = await commands.run(argv, "", { PRESTO_ROLE: "proxy", PRESTO_CREDENTIALS: "" });
    expect(code).toBe(77);
    expect(err).toMatch(/PRESTO_ROLE is proxy.*all or rotator/);
  });

  it("ends with 75 where another process renews, and names it", async () => {
    const lock = createSingleHostLock({
      path: renewalLockPath(commands.path),
      what: "it",
      clock: systemClock,
    });
    const held = await lock.acquire({ waitMs: 0 });
    const { code, err } = await commands.run(argv);
    await held.release();
    expect(code).toBe(75);
    expect(err).toContain(`Process ${process.pid} on`);
    expect(commands.calls("token/issue")).toBe(0);
  });

  it("ends with 77 where Presto refuses the credentials, and leaves no intent", async () => {
    await commands.putCredentials({ email, password: "Wrong-Passw0rd", pending: null });
    const { code, err } = await commands.run(argv);
    expect(code).toBe(77);
    expect(err).toContain("credentials import");
    expect((await commands.stored())?.intent ?? null).toBeNull();
  });

  it("ends with 69 where Presto can't be reached, and begins nothing", async () => {
    await commands.importing(commands.sandbox.token);
    commands.sandbox.setFault({ kind: "wrong-certificate", certificate: "expired" });
    const { code, out } = await commands.run(argv);
    expect([code, out]).toEqual([69, ""]);
    expect(await storesTheLiveToken()).toBe(true);
  });

  it("ends with 78 without credentials, and says how to put them there", async () => {
    const { code, err } = await commands.run(argv, "", {
      PRESTO_CREDENTIALS: `file:${commands.folder}/none`,
    });
    expect(code).toBe(78);
    expect(err).toContain("credentials import");
    expect((await commands.stored())?.intent ?? null).toBeNull();
  });

  it("finds out by itself what became of a call without an answer, and says that it waits", async () => {
    commands.sandbox.setFault({ kind: "reset-after-acting", path, times: 1 });
    const { code, err } = await commands.run(argv);
    expect(code).toBe(0);
    expect(err).toMatch(/It is not known yet .* 2s \(PRESTO_SETTLE\)/);
    expect(commands.calls("token/issue")).toBe(2);
    expect(await storesTheLiveToken()).toBe(true);
    expect((await commands.stored())?.intent).toBeNull();
  });

  it("that is stopped while it waits leaves the intent, and ends with 75", async () => {
    commands.sandbox.setFault({ kind: "reset-after-acting", path });
    const { io, stop, err } = createTestIo({ env: { ...commands.env, PRESTO_SETTLE: "10m" } });
    const running = runCommand(argv, io);
    await expect.poll(err, { interval: 5, timeout: 10_000 }).toContain("It is not known yet");
    stop(new StopSignal("SIGINT"));
    expect(await running).toBe(75);
    expect(err()).toMatch(/the next process that renews settles it/);
    expect((await commands.stored())?.intent).not.toBeNull();
  });
});

describe("token renew without a sidecar", () => {
  it("renews the stored token, unasked, and says that it does so itself", async () => {
    await commands.importing(commands.sandbox.token);
    const { code, out, err } = await commands.run(renew);
    expect(code).toBe(0);
    expect(err).toContain("renews by itself");
    expect(out).toContain("generation 2");
    expect(await storesTheLiveToken()).toBe(true);
  });

  it("stops at the alarm with 77, and clears it with --force", async () => {
    await commands.importing(commands.sandbox.token);
    await commands.change({ stopped, unexplainedDeaths: [new Date()] });
    const refused = await commands.run(renew);
    expect(refused.code).toBe(77);
    expect(refused.err).toContain("token renew --force");
    expect(commands.calls("token/issue")).toBe(0);
    expect((await commands.run([...renew, "--force"])).code).toBe(0);
    expect(await commands.stored()).toMatchObject({ generation: 2, stopped: null, unexplainedDeaths: [] });
    expect(await storesTheLiveToken()).toBe(true);
  });
});
