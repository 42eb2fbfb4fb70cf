import { readFileSync } from "node:fs";
import { Readable } from "node:stream";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import type { Intent } from "../../../src/store/contract.ts";
import { createSingleHostLock, renewalLockPath, writeLockPath } from "../../../src/store/file/lock.ts";
import { createTokenCommands, markedToken, type TokenCommands } from "../../support/token-commands.ts";

const intent: Intent = {
  id: "0b0f5a5e-7c36-4d0c-8f6e-1f9f3a0d4c11",
  holder: "0b0f5a5e-7c36-4d0c-8f6e-1f9f3a0d4c12",
  soleCall: true,
  reason: "scheduled",
  at: new Date("2026-01-02T03:04:05.000Z"),
};

let commands: TokenCommands;
beforeEach(() => {
  commands = createTokenCommands();
});
afterEach(() => commands.close());

describe("token import", () => {
  it("stores the first token as generation 1, sealed", async () => {
    const { code, out } = await commands.importing(
      `${markedToken}\n`,
      "--name",
      "ops 1",
      "--expires",
      "2099-02-22",
    );
    expect(code).toBe(0);
    expect(out).toContain("generation 1");
    expect(out).toContain("2099-02-22T00:00:00.000Z");
    const record = await commands.stored();
    expect(record?.token?.reveal()).toBe(markedToken);
    expect(record).toMatchObject({
      generation: 1,
      name: "ops 1",
      intent: null,
      stopped: null,
      unexplainedDeaths: [],
    });
    expect(readFileSync(commands.path, "latin1")).not.toContain("MARKED");
  });

  it("says that the expiry is unknown where no date was given", async () => {
    const { out } = await commands.importing();
    expect(out).toContain("When it expires is unknown");
    expect((await commands.stored())?.expiresAt).toBeNull();
  });

  it("prints JSON for machines", async () => {
    const { out } = await commands.importing(markedToken, "--json");
    expect(JSON.parse(out)).toEqual({
      name: null,
      generation: 1,
      fingerprint: new Secret(markedToken).fingerprint(),
      expires_at: null,
      presto_says: null,
    });
  });

  it("makes the next generation, and keeps the alarm and the deaths", async () => {
    await commands.importing();
    const deaths = [new Date("2026-01-02T03:04:05.000Z")];
    const stopped = { reason: "somebody else issues tokens", at: new Date("2026-01-03T00:00:00.000Z") };
    await commands.change({ generation: 41, unexplainedDeaths: deaths, stopped });
    expect((await commands.importing("another-token")).code).toBe(0);
    const record = await commands.stored();
    expect(record?.token?.reveal()).toBe("another-token");
    expect(record).toMatchObject({ generation: 42, unexplainedDeaths: deaths, stopped });
  });

  it.each(["two words", "a\nb", "tab\t", "é", "\u0000", "a\n\n"])(
    "refuses %j with 65, and stores nothing",
    async (text) => {
      const { code, err } = await commands.importing(text);
      expect(code).toBe(65);
      expect(err).toContain("Nothing was stored");
      expect(await commands.stored()).toBeUndefined();
    },
  );

  it("refuses nothing at all with 65", async () => {
    expect((await commands.importing("")).code).toBe(65);
  });

  it("refuses a bad date or name with 64, before it looks at the store", async () => {
    for (const options of [
      ["--expires", "2099-02-30"],
      ["--expires", "2001-01-01"],
      ["--name", "é"],
      ["--name", "n".repeat(256)],
    ]) {
      expect((await commands.importing(markedToken, ...options)).code).toBe(64);
    }
    expect(await commands.stored()).toBeUndefined();
  });

  it("refuses with 75 while a renewal is under way, and changes nothing", async () => {
    await commands.importing();
    await commands.change({
      intent,
    });
    const before = readFileSync(commands.path);
    const { code, err } = await commands.importing("another-token");
    expect(code).toBe(75);
    expect(err).toContain("A renewal is under way since 2026-01-02T03:04:05.000Z");
    expect(readFileSync(commands.path)).toEqual(before);
  });

  it.each([
    ["renews", renewalLockPath],
    ["writes", writeLockPath],
  ])("refuses with 75 while another process %s, and names it", async (_what, lockPath) => {
    await commands.importing();
    const before = readFileSync(commands.path);
    const lock = createSingleHostLock({ path: lockPath(commands.path), what: "it", clock: systemClock });
    const held = await lock.acquire({ waitMs: 0 });
    try {
      const { code, err } = await commands.importing("another-token");
      expect(code).toBe(75);
      expect(err).toContain(`Process ${process.pid} on`);
    } finally {
      await held.release();
    }
    expect(readFileSync(commands.path)).toEqual(before);
    expect((await commands.importing("another-token")).code).toBe(0);
  });

  it("holds no lock while a person types, and looks again when the token is there", async () => {
    await commands.importing();
    const lock = createSingleHostLock({
      path: renewalLockPath(commands.path),
      what: "it",
      clock: systemClock,
    });
    let free = false;
    async function* typed(): AsyncGenerator<Buffer> {
      const held = await lock.acquire({ waitMs: 0 });
      free = true;
      await held.release();
      await commands.change({ intent });
      yield Buffer.from("another-token\r");
    }
    const stdin = Object.assign(Readable.from(typed()), { isTTY: true, setRawMode: () => {} });
    const { code, err } = await commands.run(["token", "import"], stdin);
    expect(free).toBe(true);
    expect(code).toBe(75);
    expect(err).toContain("A renewal is under way");
    expect((await commands.stored())?.generation).toBe(1);
  });

  it("refuses a read-only store with 77", async () => {
    const { code, err } = await commands.run(["token", "import"], markedToken, {
      PRESTO_STORE: "env:",
      PRESTO_STORE_KEY: "",
    });
    expect(code).toBe(77);
    expect(err).toContain("env:");
  });

  it("refuses a file store without a key with 78", async () => {
    expect((await commands.run(["token", "import"], markedToken, { PRESTO_STORE_KEY: "" })).code).toBe(78);
  });

  it("is refused with 64 when the token is an argument, without repeating it", async () => {
    for (const argv of [
      ["token", "import", markedToken],
      ["token", "import", `--token=${markedToken}`],
      ["token", markedToken],
    ]) {
      expect((await commands.run(argv, markedToken)).code).toBe(64);
    }
    expect(await commands.stored()).toBeUndefined();
  });
});
