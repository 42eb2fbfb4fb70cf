import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Secret } from "../../src/secret.ts";
import {
  type Credentials,
  type CredentialStore,
  StoreError,
  type TokenRecord,
  type TokenStore,
  type WriteResult,
} from "../../src/store/contract.ts";
import { credentialsOf, plain as plainCredentials } from "../unit/store/accounts.ts";
import { plain as plainRecord, recordOf } from "../unit/store/records.ts";

/** What `TokenStore` and `CredentialStore` have in common. */
export interface StoreView<T> {
  read(): Promise<{ readonly value: T; readonly version: string } | undefined>;
  write: ((value: T, expected: string | undefined) => Promise<WriteResult>) | undefined;
  watch: ((onChange: () => void) => () => void) | undefined;
  close(): void;
}

export function recordView(store: TokenStore): StoreView<TokenRecord> {
  return {
    ...store,
    async read() {
      const stored = await store.read();
      return stored && { value: stored.record, version: stored.version };
    },
    write: store.write,
    watch: store.watch,
  };
}

export function credentialView(store: CredentialStore): StoreView<Credentials> {
  return {
    ...store,
    async read() {
      const stored = await store.read();
      return stored && { value: stored.credentials, version: stored.version };
    },
    write: store.write,
  };
}

/** What is stored, for the tests: made of a text, and told apart by it. */
export interface Subject<T> {
  of(text: string): T;
  textOf(value: T): string | undefined;
  /** With something in every field. */
  readonly full: T;
  /** As an assertion can compare it: two secrets look alike. */
  plain(value: T): unknown;
  /** One that can't be read back, with the word MARKED in it, and the code of its refusal. */
  readonly bad: T;
  readonly refusal: string;
}

const at = (day: number): Date => new Date(Date.UTC(2026, 10, day, 0, 0, 0, 123));

export const records: Subject<TokenRecord> = {
  of: (text) => recordOf(text),
  textOf: ({ token }) => token?.reveal(),
  full: {
    ...recordOf("1111|first-token", 7),
    intent: {
      id: "3f0a4b5c-0000-4000-8000-000000000001",
      holder: "3f0a4b5c-0000-4000-8000-000000000002",
      soleCall: true,
      reason: "scheduled",
      at: at(2),
    },
    unexplainedDeaths: [at(3)],
    stopped: { reason: "somebody else issues", at: at(4) },
    writtenBy: { holder: "3f0a4b5c-0000-4000-8000-000000000002", lock: "here" },
  },
  plain: plainRecord,
  bad: { ...recordOf("x"), token: new Secret("MARKED 5b1f") },
  refusal: "bad-token",
};

export const accounts: Subject<Credentials> = {
  of: (text) => credentialsOf(text),
  textOf: ({ password }) => password.reveal(),
  full: credentialsOf("pä$$ 🔑\n", "pending ' \""),
  plain: plainCredentials,
  bad: { ...credentialsOf("x"), pending: new Secret("MARKED\ud800") },
  refusal: "bad-credentials",
};

/** A place that is empty at first, and stores over it. */
export interface StoreUnderTest<T> {
  /** The store as one process has it; asked for several times. */
  view(): StoreView<T>;
  /** Puts something there, where the store itself can't write. */
  place?(text: string): Promise<void>;
  /** Makes what stands there impossible to take for what it should be, with these bytes in it. */
  spoil(bytes: string): Promise<void>;
  dispose(): Promise<void>;
}

/** What the store offers: named by the test, so that an ability can't be lost in silence. */
export interface StoreAbilities {
  readonly write: boolean;
  readonly watch: boolean;
  readonly sealed: boolean;
}

const marked = "marked bytes MARKED-5b1f\xff";

/** The promises of `TokenStore` and `CredentialStore`, for any of them. */
export function describeStore<T>(
  name: string,
  open: () => Promise<StoreUnderTest<T>>,
  { of, textOf, full, plain, bad, refusal }: Subject<T>,
  abilities: StoreAbilities,
): void {
  describe(`store ${name}`, () => {
    let under: StoreUnderTest<T>;
    let store: StoreView<T>;
    let other: StoreView<T>;
    beforeEach(async () => {
      under = await open();
      [store, other] = [under.view(), under.view()];
    });
    afterEach(async () => {
      store.close();
      other.close();
      await under.dispose();
    });

    async function stored(from = store): Promise<{ readonly value: T; readonly version: string }> {
      const read = await from.read();
      if (read === undefined) throw new Error("nothing is stored");
      return read;
    }

    function write(value: T, expected: string | undefined, by = store): Promise<WriteResult> {
      if (by.write === undefined) throw new Error("the store has no write");
      return by.write(value, expected);
    }

    /** As an operator or another process puts it there. */
    async function place(text: string): Promise<void> {
      if (under.place !== undefined) return under.place(text);
      expect(await write(of(text), (await other.read())?.version, other)).toMatchObject({
        outcome: "written",
      });
    }

    async function refusalOf(attempt: Promise<unknown>): Promise<unknown> {
      const error: unknown = await attempt.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StoreError);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
      return error;
    }

    it("offers what it can do and no more", () => {
      expect(store.write !== undefined).toBe(abilities.write);
      expect(store.watch !== undefined).toBe(abilities.watch);
    });

    it("answers undefined or not-yet while nothing was stored", async () => {
      const end: unknown = await store.read().catch((error: unknown) => error);
      expect([undefined, "not-yet"]).toContain(end instanceof StoreError ? end.code : end);
    });

    it("reads what was put there, under the same version each time", async () => {
      await place("first");
      const read = await stored();
      expect(textOf(read.value)).toBe("first");
      expect(read.version).not.toBe("");
      expect((await stored()).version).toBe(read.version);
      expect((await stored(under.view())).version).toBe(read.version);
    });

    it("reads afresh: another is seen by the next read, under another version", async () => {
      await place("first");
      const before = await stored();
      await place("second");
      const after = await stored();
      expect(textOf(after.value)).toBe("second");
      expect(after.version).not.toBe(before.version);
    });

    it("throws a StoreError that shows nothing of the bytes when they make no sense", async () => {
      await place("first");
      await under.spoil(marked);
      await refusalOf(store.read());
    });

    if (abilities.watch) describeWatch();
    if (abilities.write) describeWrite();

    function describeWatch(): void {
      it("calls back soon after a change, until the watch is ended or the store closed", async () => {
        await place("first");
        const [ended, closed, still] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
        const end = store.watch?.(ended);
        store.watch?.(closed);
        other.watch?.(still);
        await place("second");
        for (const told of [ended, closed, still]) await expect.poll(() => told).toHaveBeenCalled();
        end?.();
        store.close();
        const calls = [ended.mock.calls.length, closed.mock.calls.length];
        still.mockClear();
        await place("third");
        await expect.poll(() => still).toHaveBeenCalled();
        expect([ended.mock.calls.length, closed.mock.calls.length]).toEqual(calls);
      });
    }

    function describeWrite(): void {
      it("keeps every field, and answers the version that a read gives", async () => {
        const result = await write(full, undefined);
        const read = await stored(other);
        expect(result).toEqual({ outcome: "written", version: read.version });
        expect(plain(read.value)).toEqual(plain(full));
      });

      it("creates only where nothing is, and writes only over the version that was read", async () => {
        expect(await write(of("late"), "no such version")).toEqual({ outcome: "refused" });
        expect(await store.read()).toBeUndefined();
        await place("first");
        const { version } = await stored();
        await place("second");
        const before = await stored();
        for (const expected of [undefined, version, "no such version"]) {
          expect(await write(of("late"), expected)).toEqual({ outcome: "refused" });
        }
        expect((await stored()).version).toBe(before.version);
        expect(textOf((await stored()).value)).toBe("second");
      });

      it("lets one of two writes on the same version through", async () => {
        await place("first");
        const { version } = await stored();
        const results = await Promise.all([write(of("one"), version), write(of("two"), version, other)]);
        expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(["refused", "written"]));
      });

      it("overwrites nothing that it could not read", async () => {
        await place("first");
        const { version } = await stored();
        await under.spoil(marked);
        for (const expected of [undefined, version]) {
          await refusalOf(write(of("second"), expected));
        }
        // Still there.
        await refusalOf(store.read());
      });

      it("stores nothing that it could not read back, and does not print it", async () => {
        expect(await refusalOf(write(bad, undefined))).toMatchObject({ code: refusal });
        expect(await store.read()).toBeUndefined();
      });

      it.runIf(abilities.sealed)("gives the same another version when it is written anew", async () => {
        await place("first");
        const { version } = await stored();
        await place("first");
        expect((await stored()).version).not.toBe(version);
      });
    }
  });
}
