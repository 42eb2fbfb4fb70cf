import { randomBytes } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import type { Backend, Holding, StoredBytes } from "../../src/store/contract.ts";
import {
  createCredentialStore,
  createTokenStore,
  type WritableBackend,
} from "../../src/store/over-backend.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { accounts, credentialView, describeStore, recordView, records } from "./store.ts";

/** A place that is empty at first. */
export interface PlaceUnderTest {
  /** The place as one process sees it; asked for several times, as several processes see it. */
  view(holds: Holding): WritableBackend;
  /** Puts these bytes there as whoever has got at the place could: without a version, and past the adapter. */
  spoil(bytes: string): Promise<void>;
  /** Removes it all. */
  dispose(): Promise<void>;
}

/** What the adapter offers beside reading and writing: named by the test, so that an ability can't be lost in silence. */
export interface Abilities {
  readonly watch: boolean;
  readonly lock: boolean;
  /** Does it tell which object it read, for those who must not take a copy for the original? */
  readonly identity: boolean;
}

const first = Buffer.from("first");
const second = Buffer.from("second");
const late = Buffer.from("late");

/** The promises of `Backend` for any adapter, and those of both stores over it. */
export function describeBackend(
  name: string,
  open: () => Promise<PlaceUnderTest>,
  abilities: Abilities,
): void {
  describe(`backend ${name}`, () => {
    let place: PlaceUnderTest;
    let views: WritableBackend[];
    let mine: WritableBackend;
    let other: WritableBackend;
    beforeEach(async () => {
      place = await open();
      views = [place.view("token"), place.view("token")];
      [mine, other] = [view(0), view(1)];
    });
    afterEach(async () => {
      for (const each of views) each.close();
      await place.dispose();
    });

    function view(index: number): WritableBackend {
      const found = views[index];
      if (found === undefined) throw new Error("there is no such view");
      return found;
    }

    async function stored(from: Backend = mine): Promise<StoredBytes> {
      const read = await from.read();
      if (read === undefined) throw new Error("nothing is stored");
      return read;
    }

    /** Writes over whatever stands there, as another process. */
    async function replace(bytes: Uint8Array): Promise<void> {
      expect(await other.write(bytes, (await other.read())?.version)).toMatchObject({ outcome: "written" });
    }

    it("offers what it can do and no more, and says what it is", () => {
      const { watch, lock } = abilities;
      expect([mine.watch !== undefined, mine.lock !== undefined]).toEqual([watch, lock]);
      expect(mine.kind).toMatch(/^[a-z]+$/);
      expect(mine.where).toMatch(/^The [^.]+$/);
      expect(place.view("credentials").where).not.toBe(mine.where);
    });

    it("answers undefined while nothing is there", async () => {
      expect(await mine.read()).toBeUndefined();
    });

    it("keeps any bytes, and answers the version that every read gives", async () => {
      const bytes = Buffer.concat([
        Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
        randomBytes(2_000),
      ]);
      const result = await mine.write(bytes, undefined);
      for (const from of [mine, other, mine]) {
        const read = await stored(from);
        expect(Buffer.from(read.bytes).equals(bytes)).toBe(true);
        expect(result).toEqual({ outcome: "written", version: read.version });
      }
    });

    it("tells the same object to all who read it, whatever was written, or none", async () => {
      await replace(first);
      const { identity } = await stored();
      expect(identity !== undefined).toBe(abilities.identity);
      expect((await stored(other)).identity).toEqual(identity);
      await replace(second);
      expect((await stored()).identity).toEqual(identity);
    });

    it("reads afresh: other bytes are seen by the next read, under another version", async () => {
      await replace(first);
      const before = await stored();
      await replace(second);
      const after = await stored();
      expect([before, after].map(({ bytes }) => Buffer.from(bytes))).toEqual([first, second]);
      expect(after.version).not.toBe(before.version);
    });

    it("creates only where nothing is", async () => {
      await replace(first);
      expect(await mine.write(late, undefined)).toEqual({ outcome: "refused" });
      expect(Buffer.from((await stored()).bytes)).toEqual(first);
    });

    it("refuses a version that does not stand there, and changes nothing", async () => {
      expect(await mine.write(late, "no such version")).toEqual({ outcome: "refused" });
      expect(await mine.read()).toBeUndefined();
      await replace(first);
      const { version } = await stored();
      await replace(second);
      for (const expected of [version, "no such version"]) {
        expect(await mine.write(late, expected)).toEqual({ outcome: "refused" });
      }
      expect(Buffer.from((await stored()).bytes)).toEqual(second);
    });

    it.each([false, true])(
      "lets one of several writes on the same version through (there: %s)",
      async (there) => {
        if (there) await replace(first);
        const version = (await mine.read())?.version;
        const results = await Promise.all(
          Array.from({ length: 4 }, (_, index) => view(index % 2).write(Buffer.from(`${index}`), version)),
        );
        expect(results.map(({ outcome }) => outcome).toSorted()).toEqual([
          "refused",
          "refused",
          "refused",
          "written",
        ]);
        const winner = results.findIndex(({ outcome }) => outcome === "written");
        expect(Buffer.from((await stored()).bytes).toString()).toBe(`${winner}`);
      },
    );

    it("refuses a write over what was put there past it", async () => {
      await replace(first);
      const { version } = await stored();
      await place.spoil("something else");
      expect(await mine.write(late, version)).toEqual({ outcome: "refused" });
      expect(Buffer.from((await stored()).bytes).toString()).toBe("something else");
    });

    if (abilities.watch) describeWatch();
    if (abilities.lock) describeLock();

    function describeWatch(): void {
      function watched(by: Backend): { readonly told: () => number; readonly end: () => void } {
        const told = vi.fn<() => void>();
        const end = by.watch?.(told);
        return { told: () => told.mock.calls.length, end: () => end?.() };
      }

      it("calls back soon after each change, until the watch is ended", async () => {
        await replace(first);
        const [ended, still] = [watched(mine), watched(mine)];
        await replace(second);
        await expect.poll(() => Math.min(ended.told(), still.told())).toBeGreaterThan(0);
        ended.end();
        const [calls, others] = [ended.told(), still.told()];
        await replace(first);
        await expect.poll(() => still.told()).toBeGreaterThan(others);
        expect(ended.told()).toBe(calls);
      });

      it("calls back where the object comes to be", async () => {
        const one = watched(mine);
        await replace(first);
        await expect.poll(() => one.told()).toBeGreaterThan(0);
      });

      it("calls nobody back after it was closed", async () => {
        const [closed, witness] = [watched(mine), watched(other)];
        mine.close();
        await replace(first);
        await expect.poll(() => witness.told()).toBeGreaterThan(0);
        expect(closed.told()).toBe(0);
      });
    }

    function describeLock(): void {
      it("has a lock, of one holder at a time, which keeps nobody from a write", async () => {
        const held = await mine.lock?.().acquire({ waitMs: 1_000 });
        await expect(other.lock?.().acquire({ waitMs: 0 })).rejects.toMatchObject({
          name: "CommandError",
          code: "try-again",
        });
        await replace(first);
        await held?.release();
        await (await other.lock?.().acquire({ waitMs: 1_000 }))?.release();
      });
    }
  });

  const key = { kind: "value", secret: new Secret(randomBytes(32).toString("base64")) } as const;
  for (const [how, keys] of [
    ["sealed", key],
    ["in the clear", undefined],
  ] as const) {
    const options = { keys, clock: abilities.watch ? systemClock : createFastClock(1_000) };
    const offers = { write: true, watch: abilities.watch, sealed: keys !== undefined };
    const over =
      <V>(view: (place: PlaceUnderTest) => V) =>
      async () => {
        const place = await open();
        return { view: () => view(place), spoil: place.spoil, dispose: place.dispose };
      };
    describeStore(
      `of the token, over ${name}, ${how}`,
      over((place) => recordView(createTokenStore(place.view("token"), options))),
      records,
      offers,
    );
    describeStore(
      `of credentials, over ${name}, ${how}`,
      over((place) => credentialView(createCredentialStore(place.view("credentials"), options))),
      accounts,
      // Where the place has no watch, they are looked at now and then.
      { ...offers, watch: true },
    );
  }
}
