import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { createCredentialStore, createTokenStore } from "../../../src/store/over-backend.ts";
import { parseStoreKeys, seal } from "../../../src/store/seal.ts";
import type { SecretSource } from "../../../src/store/secret-source.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryPlace, type MemoryPlace } from "../../support/memory-backend.ts";
import { credentialsOf, plain as plainCredentials } from "./accounts.ts";
import { newKey, plain, recordOf } from "./records.ts";

const key = { kind: "value", secret: new Secret(newKey()) } as const;
const clock = systemClock;

describe("a record in the clear", () => {
  let place: MemoryPlace;
  beforeEach(() => {
    place = createMemoryPlace({ tells: true });
  });

  function store(keys?: SecretSource) {
    return createTokenStore(place.view("token"), { keys, clock });
  }

  function put(text: string): void {
    place.put(Buffer.from(text));
  }

  it("is JSON that people can read, and says nothing of keys", async () => {
    await store().write?.(recordOf("1111|abc", 3), undefined);
    const { bytes } = (await place.view("token").read()) ?? {};
    expect(JSON.parse(Buffer.from(bytes ?? []).toString())).toMatchObject({
      token: "1111|abc",
      generation: 3,
    });
    const read = await store().read();
    expect(plain(read?.record)).toEqual(plain(recordOf("1111|abc", 3)));
    expect(read).not.toHaveProperty("sealedWithFirstKey");
    expect(store().canChange).toBe(true);
  });

  it("is read anew when another stands there, and is the same while the same does", async () => {
    const followed = store();
    const read = async () => (await followed.read())?.record;
    await followed.write?.(recordOf("1111|abc", 3), undefined);
    const first = await read();
    expect(await read()).toBe(first);
    const other = await place.view("token").read();
    await store().write?.(recordOf("2222|abc", 4), other?.version);
    expect(plain(await read())).toEqual(plain(recordOf("2222|abc", 4)));
    put("{}");
    await expect(followed.read()).rejects.toMatchObject({ code: "damaged" });
    await expect(followed.read()).rejects.toMatchObject({ code: "damaged" });
  });

  it("tells how following it goes: the last read, why it failed, and whether the watch lives", async () => {
    const hand = createHandClock();
    let live = true;
    const backend = { ...place.view("token"), isWatching: () => live, absence: () => "There is none." };
    const followed = createTokenStore(backend, { keys: undefined, clock: hand });
    const at = (): string | undefined => followed.report?.().readAt?.toISOString();
    expect(followed.report?.()).toEqual({
      readAt: null,
      failure: null,
      watch: "live",
      absence: "There is none.",
    });
    await followed.read();
    const first = new Date(hand.now()).toISOString();
    expect(at()).toBe(first);
    await hand.advance(60_000);
    put("nonsense");
    await expect(followed.read()).rejects.toMatchObject({ code: "damaged" });
    live = false;
    expect(followed.report?.()).toMatchObject({
      failure: expect.stringContaining("is damaged"),
      watch: "down",
    });
    expect(at()).toBe(first);
    place.put(undefined);
    await followed.read();
    expect(followed.report?.()).toMatchObject({ failure: null, readAt: new Date(hand.now()) });
    expect(store().report?.().watch).toBeNull();
  });

  it.each<[string, string, string, RegExp]>([
    ["nothing", "", "damaged", /it is empty/],
    ["no JSON", '{"token": "MARKED', "damaged", /the record is not JSON/],
    ["a list", "[]", "damaged", /the record is not an object/],
    ["not all of it", '{"schema": 1}', "damaged", /lacks the field generation/],
    ["a newer schema", '{"schema": 2, "token": "MARKED"}', "newer-schema", /later version/],
  ])("is refused as %s, and shows none of it", async (_what, text, code, says) => {
    put(text);
    const error: unknown = await store()
      .read()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringMatching(/^The record in memory /) });
    expect(error).toMatchObject({ message: expect.stringMatching(says) });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
  });

  it("is refused where it is not UTF-8", async () => {
    place.put(Buffer.from('{"name": "\xff"}', "latin1"));
    await expect(store().read()).rejects.toMatchObject({ code: "damaged" });
  });

  it("is not taken for a sealed one where there is a key, nor written over", async () => {
    await store().write?.(recordOf("1111|abc"), undefined);
    const version = (await store().read())?.version;
    await expect(store(key).read()).rejects.toMatchObject({ code: "damaged" });
    await expect(store(key).write?.(recordOf("2222|def"), version)).rejects.toMatchObject({
      code: "damaged",
    });
    expect((await store().read())?.version).toBe(version);
  });

  it("is not what a sealed one is taken for without a key", async () => {
    await store(key).write?.(recordOf("1111|abc"), undefined);
    await expect(store().read()).rejects.toMatchObject({
      code: "wrong-key",
      message: expect.stringMatching(/^The record in memory is sealed, and no store key was given\./),
    });
  });

  it("is not written where it would be too large to be read", async () => {
    const token = "x".repeat(1024 * 1024);
    await expect(store().write?.(recordOf(token), undefined)).rejects.toMatchObject({ code: "bad-token" });
    expect(await store().read()).toBeUndefined();
  });
});

describe("a record of a later version", () => {
  const later = {
    schema: 2,
    generation: 7,
    token: "2222|later",
    expiresAt: "2027-01-30T00:00:00.000Z",
    intent: { id: "an-id", phase: "something new" },
    unexplainedDeaths: { other: "form" },
    more: {},
  };
  const keys = parseStoreKeys(key.secret);
  let place: MemoryPlace;
  beforeEach(() => {
    place = createMemoryPlace({ tells: true });
  });

  it.each([
    ["in the clear", undefined, (json: string) => json],
    ["sealed", key, (json: string) => seal(Buffer.from(json), "token", 2, keys)],
  ] as const)(
    "%s gives those who send calls its token, nobody else anything, and is never written over",
    async (_how, source, written) => {
      place.put(Buffer.from(written(JSON.stringify(later))));
      const store = createTokenStore(place.view("token"), { keys: source, clock });
      const read = await store.readToServe?.();
      expect(read).toMatchObject({
        isLater: true,
        record: {
          generation: 7,
          expiresAt: new Date(later.expiresAt),
          intent: { id: "an-id" },
          unexplainedDeaths: [],
        },
      });
      expect(read?.record.token?.reveal()).toBe("2222|later");
      await expect(store.read()).rejects.toMatchObject({ code: "newer-schema" });
      await expect(store.write?.(recordOf("1111|own"), read?.version)).rejects.toMatchObject({
        code: "newer-schema",
      });
      expect((await place.view("token").read())?.version).toBe(read?.version);
    },
  );

  it("gives a token alone, whatever else it has become", async () => {
    place.put(
      Buffer.from('{"schema":9,"token":"2222|later","generation":"x","intent":7,"expiresAt":"soon"}'),
    );
    const store = createTokenStore(place.view("token"), { keys: undefined, clock });
    expect((await store.readToServe?.())?.record).toMatchObject({
      generation: 0,
      intent: null,
      expiresAt: null,
    });
  });

  it.each([
    ["has its token elsewhere", '{"schema":2,"tokens":["MARKED"]}'],
    ["has another kind of token", '{"schema":2,"token":{"value":"MARKED"}}'],
    ["has a token that can't be sent", '{"schema":2,"token":"MARKED \\n"}'],
    ["is sealed in another form", "presto-sidecar/2 MARKED\n"],
  ])("that %s is told as what it is", async (_what, text) => {
    place.put(Buffer.from(text));
    const source = text.startsWith("{") ? undefined : key;
    const store = createTokenStore(place.view("token"), { keys: source, clock });
    const error: unknown = await store.readToServe?.().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "newer-schema", message: expect.stringContaining("later version") });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
  });

  it("is no reason to take a damaged one for one", async () => {
    place.put(Buffer.from('{"schema":1,"token":"2222|own"}'));
    const store = createTokenStore(place.view("token"), { keys: undefined, clock });
    await expect(store.readToServe?.()).rejects.toMatchObject({ code: "damaged" });
  });
});

describe("a place that tells of nothing and can't be locked", () => {
  const place = createMemoryPlace({ tells: false });

  it("makes a token store that offers neither", () => {
    const store = createTokenStore(place.view("token"), { keys: key, clock });
    expect(store).not.toHaveProperty("watch");
    expect(store).not.toHaveProperty("lock");
  });

  it("is looked at for changed credentials every 5 s, until the watch is ended", async () => {
    const hand = createHandClock();
    const store = createCredentialStore(place.view("credentials"), { keys: key, clock: hand });
    const told = vi.fn<() => void>();
    const end = store.watch(told);
    await expect.poll(() => told).toHaveBeenCalledTimes(1);
    await hand.advance(5_000);
    expect(told).toHaveBeenCalledTimes(1);
    await store.write(credentialsOf("a password"), undefined);
    await hand.advance(5_000);
    expect(told).toHaveBeenCalledTimes(2);
    end();
    place.put(undefined);
    await hand.advance(20_000);
    expect(told).toHaveBeenCalledTimes(2);
  });

  it("has told of nothing where it could not be looked at", async () => {
    const hand = createHandClock();
    const view = place.view("credentials");
    let away = false;
    const read = (): ReturnType<typeof view.read> => (away ? Promise.reject(new Error("away")) : view.read());
    const store = createCredentialStore({ ...view, read }, { keys: key, clock: hand });
    const told = vi.fn<() => void>();
    store.watch(told);
    await expect.poll(() => told).toHaveBeenCalledTimes(1);
    away = true;
    await hand.advance(5_000);
    away = false;
    await hand.advance(5_000);
    expect(told).toHaveBeenCalledTimes(1);
    store.close();
  });
});

describe("a key in a file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "key-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("is read afresh over any place, and its change is told", async () => {
    const path = join(folder, "key");
    const [old, fresh] = [newKey(), newKey()];
    await writeFile(path, old);
    const place = createMemoryPlace({ tells: true });
    const store = createCredentialStore(place.view("credentials"), { keys: { kind: "file", path }, clock });
    await store.write(credentialsOf("a password"), undefined);
    const told = vi.fn<() => void>();
    store.watch(told);
    await writeFile(path, `${fresh},${old}`);
    await expect.poll(() => told).toHaveBeenCalled();
    const read = await store.read();
    expect(read?.sealedWithFirstKey).toBe(false);
    expect(plainCredentials(read?.credentials)).toMatchObject({ password: "a password" });
    store.close();
  });
});
