import { readFileSync, statSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createSingleHostLock, renewalLockPath, writeLockPath } from "../../../src/store/file/lock.ts";
import {
  createIssuingCommands,
  email,
  type IssuingCommands,
  password,
} from "../../support/issuing-commands.ts";
import { marksIn } from "../../support/marks.ts";
import { typedInput } from "../../support/typed-input.ts";

const argv = ["credentials", "import"];
const json = JSON.stringify({ email, password });

let commands: IssuingCommands;
beforeEach(async () => {
  commands = await createIssuingCommands();
});
afterEach(() => commands.close());

describe("credentials import", () => {
  it("stores what comes as JSON, sealed, for its owner alone", async () => {
    const { code, out, err } = await commands.run(argv, json);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("stored, sealed");
    expect(await commands.credentials()).toEqual({ email, password, pending: null });
    const bytes = readFileSync(commands.credentialsPath, "latin1");
    expect(marksIn(bytes, [{ name: "the password", value: password }])).toEqual([]);
    expect(statSync(commands.credentialsPath).mode & 0o777).toBe(0o600);
  });

  it("stores what is typed, and shows nothing of the password", async () => {
    const { code } = await commands.run(argv, typedInput(`${email}\n`, `${password}\r`));
    expect(code).toBe(0);
    expect(await commands.credentials()).toEqual({ email, password, pending: null });
  });

  it("takes the place of what stands there, and says so", async () => {
    await commands.run(argv, JSON.stringify({ email, password: "Another-1" }));
    const { out } = await commands.run([...argv, "--json"], json);
    expect(JSON.parse(out)).toEqual({ stored: true, replaced: true });
    expect((await commands.credentials())?.password).toBe(password);
  });

  it("refuses what can't be an account with 65, and stores nothing", async () => {
    const { code, out } = await commands.run(argv, JSON.stringify({ email, password, admin: true }));
    expect([code, out]).toEqual([65, ""]);
    expect(await commands.credentials()).toBeUndefined();
  });

  it("is refused with 77 while a password reset is not settled, before anything is typed", async () => {
    const unsettled = { email, password, pending: "Pending-2" };
    await commands.putCredentials(unsettled);
    const { code, err } = await commands.run(argv, typedInput("never read"));
    expect(code).toBe(77);
    expect(err).toMatch(/^presto-sidecar: A password reset .*presto-sidecar password reset/);
    expect(await commands.credentials()).toEqual(unsettled);
  });

  it.each([
    ["renews the token", () => renewalLockPath(commands.path)],
    ["writes the credentials", () => writeLockPath(commands.credentialsPath)],
  ])("is refused with 75 while another process %s, and names it", async (_what, path) => {
    const lock = createSingleHostLock({ path: path(), what: "it", clock: systemClock });
    const held = await lock.acquire({ waitMs: 0 });
    const { code, err } = await commands.run(argv, json);
    await held.release();
    expect(code).toBe(75);
    expect(err).toContain(`Process ${process.pid} on`);
    expect(await commands.credentials()).toBeUndefined();
  });

  it("needs no store of a token", async () => {
    const { code } = await commands.run(argv, json, { PRESTO_STORE: "", PRESTO_ROLE: "" });
    expect(code).toBe(0);
    expect((await commands.credentials())?.email).toBe(email);
  });

  it.each([
    ["77 without a place that can be written", 77, { PRESTO_CREDENTIALS: "" }],
    ["78 in a role that must not have them", 78, { PRESTO_ROLE: "proxy" }],
    ["78 without a key", 78, { PRESTO_STORE_KEY: "" }],
    [
      "78 with a key file that is not there",
      78,
      { PRESTO_STORE_KEY: "", PRESTO_STORE_KEY_FILE: "/none/key" },
    ],
  ])("ends with %s", async (_what, code, env) => {
    expect((await commands.run(argv, json, env)).code).toBe(code);
  });

  it("ends with 78 where the wrong key is given, and leaves them as they are", async () => {
    await commands.run(argv, json);
    const before = readFileSync(commands.credentialsPath);
    const env = { PRESTO_STORE_KEY: Buffer.alloc(32, 9).toString("base64") };
    expect((await commands.run(argv, json, env)).code).toBe(78);
    expect(readFileSync(commands.credentialsPath)).toEqual(before);
  });

  it("is refused with 64 when the password is an argument, without repeating it", async () => {
    for (const given of [
      [...argv, password],
      [...argv, `--password=${password}`],
    ]) {
      const { code, err } = await commands.run(given, json);
      expect(code).toBe(64);
      expect(err).toContain("never taken from arguments");
    }
  });
});
