import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  createIssuingCommands,
  email,
  password,
  type IssuingCommands,
} from "../../support/issuing-commands.ts";
import { typedInput } from "../../support/typed-input.ts";

const argv = ["password", "reset"];
const path = "/api/institutions/v1/auth/password/reset";
const next = "Second-marked-Passw0rd";
/** What an earlier run has left. */
const begun = { email, password, pending: next };
const after = { email, password: next, pending: null };

let commands: IssuingCommands;
beforeEach(async () => {
  commands = await createIssuingCommands();
  commands.hide("the new password", next);
  await commands.putCredentials(begun);
});
afterEach(() => commands.close());

describe("an earlier reset without a known end", () => {
  it("is settled with the same new password again", async () => {
    const { code, out, err } = await commands.run([...argv, "--generate"]);
    expect(code).toBe(0);
    expect(err).toContain("An earlier password reset has no known end");
    expect(out).toMatch(/^The password reset of an earlier run is settled/);
    expect(await commands.credentials()).toEqual(after);
    expect(commands.calls("password/reset")).toBe(1);
    // It is the account's: a reset that begins with it is done.
    expect((await commands.run([...argv, "--generate"])).code).toBe(0);
  });

  it("that was executed keeps both: the pending one is right, and an issue proves it", async () => {
    await commands.putCredentials({ email, password, pending: null });
    commands.sandbox.setFault({ kind: "reset-after-acting", path, times: 1 });
    expect((await commands.run(argv, next)).code).toBe(69);
    expect((await commands.run(argv, next)).code).toBe(77);
    expect(await commands.credentials()).toEqual(begun);
    expect((await commands.run(["token", "issue", "--yes"])).code).toBe(0);
    expect(await commands.credentials()).toEqual(after);
  });

  it("asks for nothing at a terminal", async () => {
    const { code, err } = await commands.run(argv, typedInput("never read"));
    expect(code).toBe(0);
    expect(err).not.toContain("New password");
    expect(await commands.credentials()).toEqual(after);
  });

  it("is done with 0 where the same password is piped in again", async () => {
    expect((await commands.run(argv, next)).code).toBe(0);
  });

  it("ends with 75 where another was piped in, which was not used", async () => {
    const third = "Third-marked-Passw0rd";
    commands.hide("the third password", third);
    const { code, err } = await commands.run(argv, third);
    expect(code).toBe(75);
    expect(err).toContain("was not used");
    expect(await commands.credentials()).toEqual(after);
  });
});
