import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { createEnvStore } from "../../../src/store/env.ts";
import { plain } from "./records.ts";

describe("env: by value", () => {
  it("gives the token, of whose life nothing is known, and never changes", async () => {
    const token = { kind: "value", secret: new Secret("1111|abc") } as const;
    const store = createEnvStore({ token, clock: systemClock });
    expect(store.canChange).toBe(false);
    expect("watch" in store).toBe(false);
    expect("write" in store).toBe(false);
    const read = await store.read();
    expect(plain(read?.record)).toEqual({
      schema: 1,
      generation: 0,
      token: "1111|abc",
      name: null,
      issuedAt: null,
      expiresAt: null,
      intent: null,
      unexplainedDeaths: [],
      stopped: null,
      writtenBy: null,
    });
    store.close();
  });

  it("refuses a token that a header field can't hold, and does not show it", async () => {
    const token = { kind: "value", secret: new Secret("MARKED abc") } as const;
    const read = createEnvStore({ token, clock: systemClock }).read();
    await expect(read).rejects.toMatchObject({ code: "bad-token" });
    await expect(read).rejects.not.toThrow("MARKED");
  });
});

describe("env: by file", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "env-"));
    path = join(folder, "token");
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("counts the tokens that it saw as generations", async () => {
    const store = createEnvStore({ token: { kind: "file", path }, clock: systemClock });
    expect(store.canChange).toBe(true);
    const generations: (number | undefined)[] = [];
    for (const token of ["a", "a\n", "b", "b", "a"]) {
      await writeFile(path, token);
      generations.push((await store.read())?.record.generation);
    }
    expect(generations).toEqual([0, 0, 1, 1, 2]);
  });

  it("starts its count with the first token, not with a read that failed", async () => {
    const store = createEnvStore({ token: { kind: "file", path }, clock: systemClock });
    await expect(store.read()).rejects.toMatchObject({ code: "not-yet" });
    await writeFile(path, "a b");
    await expect(store.read()).rejects.toThrow(`The token in ${path} holds`);
    await writeFile(path, "a");
    expect((await store.read())?.record.generation).toBe(0);
  });
});
