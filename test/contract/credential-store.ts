import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Secret } from "../../src/secret.ts";
import { type CredentialStore, StoreError } from "../../src/store/contract.ts";
import { credentialsOf, plain, stored } from "../unit/store/accounts.ts";

/** A place where credentials live, empty at first, and the adapter's view of it. */
export interface CredentialsUnderTest {
  readonly store: CredentialStore;
  /** Another's view of the same place. */
  readonly other: CredentialStore;
  /** Puts an account with this password there as an operator or another process does, not through `store`. */
  place(password: string): Promise<void>;
  /** Makes what stands there impossible to take for credentials, with these bytes in it. */
  spoil(bytes: string): Promise<void>;
  /** The bytes that stand there, to see that they were left alone. */
  bytes(): Promise<string>;
  dispose(): Promise<void>;
}

/** The promises of `CredentialStore`, for any adapter; `writes` is named by the test, so that it can't be lost in silence. */
export function describeCredentialStore(
  name: string,
  open: () => Promise<CredentialsUnderTest>,
  { writes }: { readonly writes: boolean },
): void {
  describe(`credential store ${name}`, () => {
    let place: CredentialsUnderTest;
    beforeEach(async () => {
      place = await open();
    });
    afterEach(async () => {
      place.store.close();
      place.other.close();
      await place.dispose();
    });

    it("offers what it can do and no more", () => {
      expect(place.store.write !== undefined).toBe(writes);
    });

    it("answers undefined or not-yet while nothing was put there", async () => {
      const end: unknown = await place.store.read().catch((error: unknown) => error);
      expect([undefined, "not-yet"]).toContain(end instanceof StoreError ? end.code : end);
    });

    it("reads what was put there, under the same version each time", async () => {
      await place.place("first password");
      const read = await stored(place.store);
      expect(read.credentials.password.reveal()).toBe("first password");
      expect(read.credentials.pending).toBeNull();
      expect((await stored(place.store)).version).toBe(read.version);
      expect((await stored(place.other)).version).toBe(read.version);
    });

    it("reads afresh: another password is seen by the next read, under another version", async () => {
      await place.place("first password");
      const before = await stored(place.store);
      await place.place("second password");
      const after = await stored(place.store);
      expect(after.credentials.password.reveal()).toBe("second password");
      expect(after.version).not.toBe(before.version);
    });

    it("throws a StoreError that shows nothing of the bytes when they are no credentials", async () => {
      await place.place("first password");
      await place.spoil("MARKED bytes");
      const error: unknown = await place.store.read().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StoreError);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
    });

    it("calls back soon after a change, until the watch is ended or the store closed", async () => {
      await place.place("first password");
      const [ended, closed, still] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
      const end = place.store.watch(ended);
      place.other.watch(still);
      place.store.watch(closed);
      await place.place("second password");
      await vi.waitFor(() => {
        for (const told of [ended, closed, still]) expect(told).toHaveBeenCalled();
      });
      end();
      place.store.close();
      const calls = [ended.mock.calls.length, closed.mock.calls.length];
      still.mockClear();
      await place.place("third password");
      await vi.waitFor(() => expect(still).toHaveBeenCalled());
      expect([ended.mock.calls.length, closed.mock.calls.length]).toEqual(calls);
    });

    if (writes) describeWrite();

    function describeWrite(): void {
      const write: NonNullable<CredentialStore["write"]> = (credentials, expected) => {
        if (place.store.write === undefined) throw new Error("the store has no write");
        return place.store.write(credentials, expected);
      };

      it("keeps every field, and answers the version that a read gives", async () => {
        const credentials = credentialsOf("pä$$ 🔑\n", "pending ' \"");
        const result = await write(credentials, undefined);
        const read = await stored(place.other);
        expect(result).toEqual({ outcome: "written", version: read.version });
        expect(plain(read.credentials)).toEqual(plain(credentials));
      });

      it("creates only where nothing is, and writes only over the version that was read", async () => {
        await place.place("first password");
        const { version } = await stored(place.store);
        await place.place("second password");
        const before = await place.bytes();
        for (const expected of [undefined, version, "no such version"]) {
          expect(await write(credentialsOf("late"), expected)).toEqual({ outcome: "refused" });
        }
        expect(await place.bytes()).toBe(before);
      });

      it("refuses a version where nothing is", async () => {
        expect(await write(credentialsOf("x"), "no such version")).toEqual({ outcome: "refused" });
        expect(await place.store.read()).toBeUndefined();
      });

      it("lets one of two writes on the same version through", async () => {
        await place.place("first password");
        const { version } = await stored(place.store);
        const results = await Promise.all([
          write(credentialsOf("one"), version),
          place.other.write?.(credentialsOf("two"), version),
        ]);
        expect(new Set(results.map((result) => result?.outcome))).toEqual(new Set(["refused", "written"]));
      });

      it("overwrites nothing that it could not read", async () => {
        await place.place("first password");
        const { version } = await stored(place.store);
        await place.spoil("MARKED bytes");
        const before = await place.bytes();
        for (const expected of [undefined, version]) {
          await expect(write(credentialsOf("x"), expected)).rejects.toThrow(StoreError);
        }
        expect(await place.bytes()).toBe(before);
      });

      it("stores nothing that it could not read back, and does not print it", async () => {
        const bad = { ...credentialsOf("x"), pending: new Secret("MARKED\ud800") };
        const error: unknown = await write(bad, undefined).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ name: "StoreError", code: "bad-credentials" });
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
        expect(await place.store.read()).toBeUndefined();
      });
    }
  });
}
