import { Readable } from "node:stream";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { createSingleHostLock, renewalLockPath } from "../../../src/store/file/lock.ts";
import {
  createIssuingCommands,
  email,
  type IssuingCommands,
  password,
} from "../../support/issuing-commands.ts";
import { typedInput } from "../../support/typed-input.ts";

const argv = ["password", "reset"];
const path = "/api/institutions/v1/auth/password/reset";
const next = "Second-marked-Passw0rd";
const before = { email, password, pending: null };
const begun = { email, password, pending: next };
const after = { email, password: next, pending: null };

let commands: IssuingCommands;
beforeEach(async () => {
  commands = await createIssuingCommands();
  commands.hide("the new password", next);
  await commands.putCredentials(before);
});
afterEach(() => commands.close());

/** Does Presto take this password? Asks by changing it to itself. */
async function isPassword(word: string): Promise<boolean> {
  await commands.putCredentials({ email, password: word, pending: null });
  commands.sandbox.clearFaults();
  return (await commands.run([...argv, "--generate"])).code === 0;
}

describe("password reset", () => {
  it("sets what is piped in, at Presto and in the store", async () => {
    const { code, out, err } = await commands.run(argv, `${next}\n`);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^Presto has the new password/);
    expect(await commands.credentials()).toEqual(after);
    expect(await isPassword(next)).toBe(true);
  });

  it("sets what is typed twice, and shows nothing of it", async () => {
    const stdin = typedInput(`${next}\r`, `${next}\r`);
    const { code, err } = await commands.run(argv, stdin);
    expect(code).toBe(0);
    expect(err).toBe("New password (not shown): \nOnce more (not shown): \n");
    expect(stdin.modes).toEqual([true, false]);
    expect(await commands.credentials()).toEqual(after);
  });

  it("makes one itself, and shows it nowhere", async () => {
    const { code, out, err } = await commands.run([...argv, "--generate", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual({ changed: true, stored: true, earlier: false, token: null });
    const stored = await commands.credentials();
    expect(stored).toMatchObject({ email, pending: null });
    expect(stored?.password).not.toBe(password);
    expect(out).not.toContain(stored?.password);
    expect(await isPassword(stored?.password ?? "")).toBe(true);
  });

  it.each([false, true])("says whether the stored token still lives (revoked: %s)", async (revokes) => {
    await commands.importing(commands.sandbox.token);
    commands.sandbox.configure({ resetRevokesToken: revokes });
    const { code, out } = await commands.run(argv, next);
    expect(code).toBe(0);
    expect(out).toContain(revokes ? "The stored token is dead" : "The stored token still lives");
  });
});

describe("before anything is sent", () => {
  it.each([
    ["a password that breaks several rules", "short", /fewer than 8 .*upper-case.*digit.*special/],
    ["the present password", password, /the present one/],
    ["nothing at all", "", /No new password was given.*--generate/],
    ["two that differ", typedInput(`${next}\r`, `${next}!\r`), /not the same/],
  ])("%s is refused with 65", async (_what, stdin, says) => {
    const { code, err } = await commands.run(argv, stdin);
    expect(code).toBe(65);
    expect(err).toMatch(says);
    expect(err).toContain("Nothing was changed.");
    expect(await commands.credentials()).toEqual(before);
    expect(commands.calls("password/reset")).toBe(0);
  });

  it("75 says who holds the lock of a renewal", async () => {
    const lock = createSingleHostLock({
      path: renewalLockPath(commands.path),
      what: "it",
      clock: systemClock,
    });
    const held = await lock.acquire({ waitMs: 0 });
    const { code, err } = await commands.run(argv, next);
    await held.release();
    expect(code).toBe(75);
    expect(err).toContain(`Process ${process.pid} on`);
    expect(await commands.credentials()).toEqual(before);
  });

  const intent = {
    id: "1",
    holder: "2",
    soleCall: true,
    reason: "manual",
    at: new Date("2026-01-02T03:04:05.000Z"),
  } as const;

  it("75 says that a renewal is under way whose end is not known, and asks for nothing", async () => {
    await commands.importing();
    await commands.change({ intent });
    const { code, err } = await commands.run(argv, typedInput("never read"));
    expect(code).toBe(75);
    expect(err).toMatch(/^presto-sidecar: A renewal is under way since 2026-01-02T03:04:05\.000Z/);
    expect(await commands.credentials()).toEqual(before);
  });

  it("75 says so too where it was begun while the password was typed", async () => {
    await commands.importing();
    async function* typed(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${next}\r`);
      await commands.change({ intent });
      yield Buffer.from(`${next}\r`);
    }
    const stdin = Object.assign(Readable.from(typed()), { isTTY: true, setRawMode: () => {} });
    const { code, err } = await commands.run(argv, stdin);
    expect(code).toBe(75);
    expect(err).toContain("A renewal is under way");
    expect(await commands.credentials()).toEqual(before);
    expect(commands.calls("password/reset")).toBe(0);
  });

  it.each([
    ["78 without PRESTO_URL", 78, { PRESTO_URL: "" }, /PRESTO_URL/],
    [
      "78 without the token's store, whose lock it needs",
      78,
      { PRESTO_STORE: "", PRESTO_ROLE: "" },
      /PRESTO_STORE/,
    ],
    ["77 with credentials in variables", 77, { PRESTO_CREDENTIALS: "" }, /PRESTO_CREDENTIALS/],
    ["78 without credentials", 78, { PRESTO_CREDENTIALS: "file:/none" }, /credentials import/],
  ])("%s", async (_what, code, env, says) => {
    const ran = await commands.run(argv, next, env);
    expect(ran.code).toBe(code);
    expect(ran.err).toMatch(says);
    expect(await commands.credentials()).toEqual(before);
  });
});

describe("an end that is not good", () => {
  it("401 keeps both passwords", async () => {
    await commands.putCredentials({ ...before, password: "Wrong-Passw0rd" });
    const { code, err } = await commands.run(argv, next);
    expect(code).toBe(77);
    expect(err).toContain("Both passwords are kept");
    expect(await commands.credentials()).toEqual({ email, password: "Wrong-Passw0rd", pending: next });
  });

  it("422 drops the new one", async () => {
    commands.sandbox.setFault({ kind: "status", status: 422, path });
    const { code, err } = await commands.run(argv, next);
    expect(code).toBe(77);
    expect(err).toContain("The new password was dropped");
    expect(await commands.credentials()).toEqual(before);
  });

  it("429 is to be tried again, and when", async () => {
    commands.sandbox.setFault({ kind: "status", status: 429, retryAfter: 7, path });
    const { code, err } = await commands.run(argv, next);
    expect(code).toBe(75);
    expect(err).toContain("in 7 s");
    expect(await commands.credentials()).toEqual(begun);
  });

  it("69 says that nothing was sent, and why", async () => {
    commands.sandbox.setFault({ kind: "wrong-certificate", certificate: "expired" });
    const { code, err } = await commands.run(argv, next);
    expect(code).toBe(69);
    expect(err).toMatch(/Nothing was sent to Presto\. Reason: certificate refused \(CERT_HAS_EXPIRED\)\./);
    expect(await commands.credentials()).toEqual(begun);
    expect(commands.calls("password/reset")).toBe(0);
  });

  it.each(["reset-before-acting", "reset-after-acting", "half-answer"] as const)(
    "69 says that it is not known, and keeps both (%s)",
    async (kind) => {
      commands.sandbox.setFault({ kind, path });
      const { code, err } = await commands.run(argv, next);
      expect(code).toBe(69);
      expect(err).toContain("It is not known whether Presto changed the password");
      expect(await commands.credentials()).toEqual(begun);
    },
  );
});

it("the new password is in the store before Presto is asked", async () => {
  const hold = commands.sandbox.setFault({ kind: "hold", path, times: 1 });
  const running = commands.run(argv, next);
  await expect.poll(() => commands.calls("password/reset"), { interval: 5 }).toBe(1);
  expect(await commands.credentials()).toEqual(begun);
  hold.remove();
  expect((await running).code).toBe(0);
  expect(new Secret((await commands.credentials())?.password ?? "").reveal()).toBe(next);
});
