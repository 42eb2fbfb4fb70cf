import { describe, expect, it } from "vitest";

import { readAccount } from "../../../src/cli/credentials-import.ts";
import type { Account } from "../../../src/presto/auth.ts";
import { createTestIo } from "../../support/command-io.ts";
import { typedInput } from "../../support/typed-input.ts";

const email = "ops+MARKED@bank.example";
const password = "MARKED-Pässword-1";

function reveal(account: Account): readonly string[] {
  return [account.email.reveal(), account.password.reveal()];
}

describe("the account", () => {
  it("comes as JSON from standard input, in UTF-8", async () => {
    const { io, err } = createTestIo({ stdin: JSON.stringify({ password, email }) });
    expect(reveal(await readAccount(io))).toEqual([email, password]);
    expect(err()).toBe("");
  });

  it("comes from prompts at a terminal, the password hidden", async () => {
    const stdin = typedInput(`${email}\n`, `${password}\r`);
    const { io, err, out } = createTestIo({ stdin });
    expect(reveal(await readAccount(io))).toEqual([email, password]);
    expect(stdin.modes).toEqual([true, false]);
    expect(out() + err()).toBe("E-mail address of the account: Password (not shown): \n");
  });

  it.each([
    ["nothing", ""],
    ["no JSON", `${email} ${password}`],
    ["a list", JSON.stringify([email, password])],
    ["a field too few", JSON.stringify({ email })],
    ["a field too many", JSON.stringify({ email, password, [password]: 1 })],
    ["a number", JSON.stringify({ email, password: 12345678 })],
    ["an empty password", JSON.stringify({ email, password: "" })],
    ["no e-mail address", JSON.stringify({ email: `${password} `, password })],
    ["half a character", JSON.stringify({ email, password: `${password}\ud800` })],
  ])("is refused with 65 where there is %s, without showing it", async (_what, stdin) => {
    const error: unknown = await readAccount(createTestIo({ stdin }).io).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ exitCode: 65, message: expect.stringContaining("Nothing was stored.") });
    expect(error).not.toHaveProperty("cause");
    expect(String(error)).not.toMatch(/MARKED|bank|1234/);
  });

  it("is refused with 65 where the bytes are not UTF-8", async () => {
    const stdin = Buffer.from(JSON.stringify({ email, password }), "latin1");
    await expect(readAccount(createTestIo({ stdin }).io)).rejects.toMatchObject({ exitCode: 65 });
  });
});
