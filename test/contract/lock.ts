import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Clock } from "../../src/clock.ts";
import type { HeldLock, RenewalLock } from "../../src/store/contract.ts";
import { type Followed, follow } from "../support/renewal-bench.ts";

/** A process that takes the lock. */
export interface LockProcess {
  readonly lock: RenewalLock;
  readonly clock: Clock;
  /** Of a lock with a term. SIGKILL: nothing of it reaches the lock any more, and no time passes for it. */
  kill?(): void;
  /** Of a lock with a term: nothing of it reaches the lock any more, and it does not know. */
  cut?(): void;
}

/** A lock that nobody holds at first. */
export interface LocksUnderTest {
  start(): Promise<LockProcess>;
  /** Lets so many milliseconds pass on the clocks of all. */
  pass(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

export interface LockTraits {
  /** Milliseconds for which one that was left behind stays taken; undefined: the kernel gives it back. */
  readonly termMs: number | undefined;
  /** Does it renew itself while it is held? */
  readonly isKept: boolean;
  /** The longest that a waiter needs to see that it was given back, milliseconds. */
  readonly handOverMs: number;
  /** How a holder is named. */
  readonly holder: RegExp;
  /** So much later than asked for it may be said who holds it, milliseconds: whoever reads seldom must see the holder live. */
  readonly saidLateMs?: number;
}

/** The promises of `RenewalLock` and `HeldLock` for any lock. */
export function describeLock(name: string, open: () => Promise<LocksUnderTest>, traits: LockTraits): void {
  const { termMs, isKept, handOverMs, holder, saidLateMs = 5_000 } = traits;

  describe(`lock ${name}`, () => {
    let locks: LocksUnderTest;
    let all: LockProcess[];
    let mine: LockProcess;
    let other: LockProcess;
    const waiting: AbortController[] = [];
    beforeEach(async () => {
      locks = await open();
      all = [await locks.start(), await locks.start(), await locks.start()];
      const [first, second] = all;
      if (first === undefined || second === undefined) throw new Error("no process was started");
      [mine, other] = [first, second];
    });
    afterEach(async () => {
      for (const each of waiting.splice(0)) each.abort(new Error("the test is over"));
      await locks.dispose();
    });

    /** Until it is settled, while time passes. Limits are generous: time passes many times as fast as on a busy machine. */
    async function settle<T>(followed: Followed<T>, withinMs: number): Promise<T> {
      const stepMs = Math.min(Math.max(10, withinMs / 200), 50);
      let over = false;
      const done = (): void => void (over = true);
      followed.promise.then(done, done);
      for (let passed = 0; passed < withinMs && !over; passed += stepMs) await locks.pass(stepMs);
      if (!over) throw new Error(`it took longer than ${withinMs} ms`);
      return followed.promise;
    }

    function ask(process: LockProcess, waitMs: number): Followed<HeldLock> {
      const stop = new AbortController();
      waiting.push(stop);
      const followed = follow(process.lock.acquire({ waitMs, signal: stop.signal }));
      followed.promise.catch(() => {});
      return followed;
    }

    const take = (process: LockProcess): Promise<HeldLock> => settle(ask(process, 0), 60_000);
    const giveBack = (held: HeldLock): Promise<void> => settle(follow(held.release()), 60_000);
    const isSure = (held: HeldLock, { clock }: LockProcess): boolean => held.heldUntil() > clock.monotonic();

    it("says what it is, and by whom it is held", async () => {
      expect(mine.lock.name).toMatch(/^\S.{3,}$/);
      const held = await take(mine);
      expect(held.identity).toMatch(/^\S.{3,}$/);
      await giveBack(held);
    });

    it("has one holder at a time, also where all come at the same moment", async () => {
      for (let round = 0; round < 3; round += 1) {
        const asked = all.map((process) => ask(process, 0));
        const ends = await settle(follow(Promise.allSettled(asked.map(({ promise }) => promise))), 60_000);
        const got = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
        expect(got.length).toBeLessThanOrEqual(1);
        if (round === 0) expect(got).toHaveLength(1);
        for (const held of got) await giveBack(held);
      }
    });

    it("is waited for as long as was asked for, and then it is said who holds it", async () => {
      const held = await take(mine);
      const begun = other.clock.monotonic();
      const refused = settle(ask(other, 3_000), 3_000 + saidLateMs);
      await expect(refused).rejects.toMatchObject({
        name: "CommandError",
        code: "try-again",
        message: expect.stringMatching(holder),
      });
      expect(other.clock.monotonic() - begun).toBeGreaterThanOrEqual(2_900);
      await expect(take(other)).rejects.toMatchObject({ code: "try-again" });
      expect(isSure(held, mine)).toBe(true);
      await giveBack(held);
    });

    it("ends the waiting when the signal says so, and does not begin it after that", async () => {
      const held = await take(mine);
      const stop = new AbortController();
      const followed = follow(other.lock.acquire({ waitMs: 600_000, signal: stop.signal }));
      followed.promise.catch(() => {});
      await locks.pass(500);
      stop.abort(new Error("stopping"));
      await expect(settle(followed, 60_000)).rejects.toThrow("stopping");
      const late = follow(other.lock.acquire({ waitMs: 0, signal: stop.signal }));
      late.promise.catch(() => {});
      await expect(settle(late, 60_000)).rejects.toThrow("stopping");
      await giveBack(held);
      await giveBack(await take(other));
    });

    it("goes to who waits soon after it is given back", async () => {
      const held = await take(mine);
      const next = ask(other, 600_000);
      await locks.pass(2_000);
      expect(next.now).toBeUndefined();
      await giveBack(held);
      const begun = other.clock.monotonic();
      const got = await settle(next, 60_000);
      expect(other.clock.monotonic() - begun).toBeLessThanOrEqual(handOverMs);
      expect(isSure(got, other)).toBe(true);
      await giveBack(got);
    });

    it("may be given back twice without being taken from the next", async () => {
      const held = await take(mine);
      await giveBack(held);
      expect([isSure(held, mine), await settle(follow(held.renew()), 60_000)]).toEqual([false, false]);
      const next = await take(other);
      await giveBack(held);
      await expect(take(mine)).rejects.toMatchObject({ code: "try-again" });
      expect(await settle(follow(next.renew()), 60_000)).toBe(true);
      await giveBack(next);
    });

    if (termMs !== undefined) describeTerm(termMs);

    function describeTerm(term: number): void {
      it("is held for a term at most from when it was asked for", async () => {
        const held = await take(mine);
        const left = held.heldUntil() - mine.clock.monotonic();
        expect(left).toBeLessThanOrEqual(term);
        expect(left).toBeGreaterThan(term / 2);
        await giveBack(held);
      });

      it.runIf(isKept)("is kept for longer than a term, and nobody else gets it meanwhile", async () => {
        const held = await take(mine);
        const next = ask(other, 600_000);
        for (let passed = 0; passed < 2 * term; passed += term / 10) {
          await locks.pass(term / 10);
          expect(isSure(held, mine)).toBe(true);
        }
        expect(next.now).toBeUndefined();
        await giveBack(held);
        await giveBack(await settle(next, 60_000));
      });

      it("is taken over from who was killed, a term later and no earlier", async () => {
        await take(mine);
        mine.kill?.();
        const begun = other.clock.monotonic();
        const next = ask(other, 600_000);
        const got = await settle(next, 4 * term);
        // Whoever waits counts from what it saw first, which the holder wrote before.
        expect(other.clock.monotonic() - begun).toBeGreaterThan(term * 0.9);
        await giveBack(got);
      });

      it("is lost by who could not renew it, before another can have it, and stays lost", async () => {
        const held = await take(mine);
        const next = ask(other, 600_000);
        await locks.pass(500);
        mine.cut?.();
        const got = await settle(next, 6 * term);
        expect(isSure(held, mine)).toBe(false);
        expect(await settle(follow(held.renew().catch(() => false)), 60_000)).toBe(false);
        await settle(follow(held.release()), 60_000);
        expect(isSure(got, other)).toBe(true);
        await giveBack(got);
      });
    }
  });
}
