import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Secret } from "../../src/secret.ts";
import { type StoredRecord, StoreError, type TokenStore } from "../../src/store/contract.ts";
import { plain, recordOf } from "../unit/store/records.ts";

/** A place where a token lives, empty at first, and the adapter's view of it. */
export interface StoreUnderTest {
  readonly store: TokenStore;
  /** Another process's view of the same place. */
  readonly other: TokenStore;
  /** Puts a token there as an operator or another process does, not through `store`. */
  place(token: string): Promise<void>;
  /** Makes what stands there impossible to take for a token, with these bytes in it. */
  spoil(bytes: string): Promise<void>;
  /** The bytes that stand there, to see that they were left alone. */
  bytes(): Promise<string>;
  /** Removes it all. */
  dispose(): Promise<void>;
}

/** What the adapter offers: named by the test, so that an ability can't be lost in silence. */
export interface Abilities {
  readonly write: boolean;
  readonly watch: boolean;
}

const first = "first-token-AAAA";
const second = "second-token-BBBB";

/** The promises of `TokenStore`, for any adapter. */
export function describeTokenStore(
  name: string,
  open: () => Promise<StoreUnderTest>,
  abilities: Abilities,
): void {
  describe(`token store ${name}`, () => {
    let place: StoreUnderTest;
    beforeEach(async () => {
      place = await open();
    });
    afterEach(async () => {
      place.store.close();
      place.other.close();
      await place.dispose();
    });

    async function stored(store = place.store): Promise<StoredRecord> {
      const read = await store.read();
      if (read === undefined) throw new Error("nothing is stored");
      return read;
    }

    it("offers what it can do and no more", () => {
      expect(place.store.write !== undefined).toBe(abilities.write);
      expect(place.store.watch !== undefined).toBe(abilities.watch);
      expect(place.store.canChange).toBe(true);
    });

    it("answers undefined or not-yet while nothing was stored", async () => {
      const end: unknown = await place.store.read().catch((error: unknown) => error);
      const code = end instanceof StoreError ? end.code : end;
      expect([undefined, "not-yet"]).toContain(code);
    });

    it("reads the token that was placed, under the same version each time", async () => {
      await place.place(first);
      const read = await stored();
      expect(read.record.token?.reveal()).toBe(first);
      expect(read.version).not.toBe("");
      expect((await stored()).version).toBe(read.version);
      expect((await stored(place.other)).version).toBe(read.version);
    });

    it("reads afresh: another token is seen by the next read, under another version", async () => {
      await place.place(first);
      const before = await stored();
      await place.place(second);
      const after = await stored();
      expect(after.record.token?.reveal()).toBe(second);
      expect(after.version).not.toBe(before.version);
    });

    it("throws a StoreError that shows nothing of the bytes when they are no token", async () => {
      await place.place(first);
      await place.spoil("marked bytes MARKED-5b1f");
      const error: unknown = await place.store.read().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StoreError);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
    });

    if (abilities.watch) describeWatch();
    if (abilities.write) describeWrite();

    function describeWatch(): void {
      it("calls back soon after a change, until the watch is ended", async () => {
        await place.place(first);
        const told = vi.fn<() => void>();
        const still = vi.fn<() => void>();
        const end = place.store.watch?.(told);
        place.store.watch?.(still);
        await place.place(second);
        await vi.waitFor(() => expect(told).toHaveBeenCalled());
        await vi.waitFor(() => expect(still).toHaveBeenCalled());

        end?.();
        const calls = told.mock.calls.length;
        still.mockClear();
        await place.place(first);
        await vi.waitFor(() => expect(still).toHaveBeenCalled());
        expect(told).toHaveBeenCalledTimes(calls);
      });

      it("calls nobody back after it was closed", async () => {
        const told = vi.fn<() => void>();
        const witness = vi.fn<() => void>();
        place.store.watch?.(told);
        place.other.watch?.(witness);
        place.store.close();
        await place.place(first);
        await vi.waitFor(() => expect(witness).toHaveBeenCalled());
        expect(told).not.toHaveBeenCalled();
      });
    }

    function describeWrite(): void {
      const write: NonNullable<TokenStore["write"]> = (record, expected) => {
        if (place.store.write === undefined) throw new Error("the store has no write");
        return place.store.write(record, expected);
      };

      it("keeps every field, and answers the version that a read gives", async () => {
        const record = {
          ...recordOf(first, 7),
          intent: {
            id: "3f0a4b5c-0000-4000-8000-000000000001",
            holder: "3f0a4b5c-0000-4000-8000-000000000002",
            soleCall: true,
            reason: "scheduled" as const,
            at: new Date("2026-11-02T00:00:00.123Z"),
          },
          unexplainedDeaths: [new Date("2026-11-03T00:00:00.000Z")],
          stopped: { reason: "somebody else issues", at: new Date("2026-11-04T00:00:00.000Z") },
          writtenBy: { holder: "3f0a4b5c-0000-4000-8000-000000000002", lock: "here" },
        };
        const result = await write(record, undefined);
        const read = await stored(place.other);
        expect(result).toEqual({ outcome: "written", version: read.version });
        expect(plain(read.record)).toEqual(plain(record));
      });

      it("creates only where nothing is", async () => {
        await place.place(first);
        const before = await place.bytes();
        expect(await write(recordOf(second), undefined)).toEqual({ outcome: "refused" });
        expect(await place.bytes()).toBe(before);
      });

      it("refuses a version that no longer stands, and changes nothing", async () => {
        await place.place(first);
        const { version } = await stored();
        await place.place(second);
        const before = await place.bytes();
        expect(await write(recordOf("late-token"), version)).toEqual({ outcome: "refused" });
        expect(await write(recordOf("late-token"), "no such version")).toEqual({ outcome: "refused" });
        expect(await place.bytes()).toBe(before);
      });

      it("refuses a version where nothing is", async () => {
        expect(await write(recordOf(first), "no such version")).toEqual({ outcome: "refused" });
        expect(await place.store.read()).toBeUndefined();
      });

      it("gives the same record another version when it is written anew", async () => {
        const record = recordOf(first);
        await write(record, undefined);
        const { version } = await stored();
        await write(record, version);
        expect((await stored()).version).not.toBe(version);
      });

      it("lets one of two writes on the same version through", async () => {
        await place.place(first);
        const { version } = await stored();
        const results = await Promise.all([
          write(recordOf("one"), version),
          place.other.write?.(recordOf("two"), version),
        ]);
        expect(new Set(results.map((result) => result?.outcome))).toEqual(new Set(["refused", "written"]));
      });

      it("overwrites nothing that it could not read", async () => {
        await place.place(first);
        const { version } = await stored();
        await place.spoil("marked bytes MARKED-5b1f");
        const before = await place.bytes();
        for (const expected of [undefined, version]) {
          await expect(write(recordOf(second), expected)).rejects.toThrow(StoreError);
        }
        expect(await place.bytes()).toBe(before);
      });

      it("stores no token that a header field can't hold, and does not print it", async () => {
        const error: unknown = await write(
          { ...recordOf(first), token: new Secret("MARKED 5b1f") },
          undefined,
        ).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ name: "StoreError", code: "bad-token" });
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
        expect(await place.store.read()).toBeUndefined();
      });
    }
  });
}
