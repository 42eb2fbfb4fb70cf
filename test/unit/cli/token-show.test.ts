import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { createTokenCommands, markedToken, type TokenCommands } from "../../support/token-commands.ts";

const otherKey = Buffer.alloc(32, 8).toString("base64");

let commands: TokenCommands;
beforeEach(() => {
  commands = createTokenCommands();
});
afterEach(() => commands.close());

describe("a record that can't be read", () => {
  // For each: what was done to it, and the part of the message that tells which it is.
  const ways: readonly (readonly [string, () => NodeJS.ProcessEnv, RegExp])[] = [
    ["has the wrong key", () => ({ PRESTO_STORE_KEY: otherKey }), /key/i],
    [
      "is damaged",
      () => {
        writeFileSync(commands.path, "not a record\n", { mode: 0o600 });
        return {};
      },
      /not .*record|damaged/i,
    ],
    [
      "has too wide a mode",
      () => {
        const bytes = readFileSync(commands.path);
        rmSync(commands.path);
        writeFileSync(commands.path, bytes, { mode: 0o644 });
        return {};
      },
      /0644.*chmod 0600/,
    ],
  ];

  it.each(ways)("because it %s ends with 78, says so, and is left as it is", async (_what, spoil, said) => {
    await commands.importing();
    const env = spoil();
    const before = readFileSync(commands.path);
    for (const argv of [
      ["token", "show"],
      ["token", "import"],
    ]) {
      const { code, err } = await commands.run(argv, "another-token", env);
      expect(code).toBe(78);
      expect(err).toMatch(said);
    }
    expect(readFileSync(commands.path)).toEqual(before);
  });
});

describe("token show", () => {
  it("ends with 66 where no token is, and says how to put one there", async () => {
    const { code, err } = await commands.run(["token", "show"]);
    expect(code).toBe(66);
    expect(err).toContain("presto-sidecar token import");
  });

  it("ends with 66 where the token's file is not there yet", async () => {
    const { code, err } = await commands.run(["token", "show"], "", {
      PRESTO_STORE: "env:",
      PRESTO_STORE_KEY: "",
      PRESTO_TOKEN_FILE: join(commands.folder, "none"),
    });
    expect(code).toBe(66);
    expect(err).toContain(join(commands.folder, "none"));
  });

  it("shows name, generation, dates and fingerprint", async () => {
    await commands.importing(markedToken, "--name", "ops", "--expires", "2099-02-22");
    const { code, out } = await commands.run(["token", "show"]);
    expect(code).toBe(0);
    for (const part of ["ops", "1", new Secret(markedToken).fingerprint(), "2099-02-22T00:00:00.000Z"])
      expect(out).toContain(part);
  });

  it("says when it has expired", async () => {
    await commands.importing();
    await commands.change({ expiresAt: new Date("2026-01-01T00:00:00.000Z") });
    expect((await commands.run(["token", "show"])).out).toContain("it has expired");
  });

  it("prints JSON for machines", async () => {
    await commands.importing(markedToken, "--expires", "2099-02-22");
    const { out } = await commands.run(["token", "show", "--json"]);
    expect(JSON.parse(out)).toMatchObject({
      name: null,
      generation: 1,
      fingerprint: new Secret(markedToken).fingerprint(),
      expires_at: "2099-02-22T00:00:00.000Z",
      renewal_under_way: false,
      stopped: null,
    });
  });

  it("shows the token of a read-only store too", async () => {
    const { code, out } = await commands.run(["token", "show"], "", {
      PRESTO_STORE: "env:",
      PRESTO_STORE_KEY: "",
      PRESTO_TOKEN: markedToken,
    });
    expect(code).toBe(0);
    expect(out).toContain(new Secret(markedToken).fingerprint());
  });
});
