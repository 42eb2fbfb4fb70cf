import { describe, expect, it } from "vitest";

import type { HeldLock, RenewalLock } from "../../../../src/store/contract.ts";
import { createLeaseLock } from "../../../../src/store/kubernetes/lease.ts";
import { leaseMs } from "../../../../src/store/term.ts";
import { createHandClock, type HandClock } from "../../../support/hand-clock.ts";
import { follow, type Followed } from "../../../support/renewal-bench.ts";
import { createStandInLeases, type StandInLeases } from "../../../support/stand-in-leases.ts";
import { apiOf, createWaywardApi, type WaywardApi } from "../../../support/wayward-api.ts";

const ids = {
  a: "presto/rotator-a_0f8fad5b-d9cb-469f-a165-70867728950e",
  b: "presto/rotator-b_7c9e6679-7425-40de-944b-e07fc1f90ae7",
};
const waitMs = Number.POSITIVE_INFINITY;

interface Bench {
  readonly clock: HandClock;
  readonly leases: StandInLeases;
  process(holder: string): { readonly lock: RenewalLock; readonly api: WaywardApi };
}

function createBench(): Bench {
  const clock = createHandClock();
  const leases = createStandInLeases();
  return {
    clock,
    leases,
    process(holder) {
      const api = createWaywardApi(apiOf(leases), clock);
      const lock = createLeaseLock(
        { namespace: "presto", name: "token", holder },
        { api, clock, random: () => 0.5 },
      );
      return { lock, api };
    },
  };
}

/** What became of it once nothing is left but to wait. */
async function now<T>(clock: HandClock, promise: Promise<T>): Promise<Followed<T>> {
  const followed = follow(promise);
  promise.catch(() => {});
  await clock.advance(0);
  return followed;
}

async function taken(clock: HandClock, lock: RenewalLock): Promise<HeldLock> {
  const held = (await now(clock, lock.acquire({ waitMs: 0 }))).now;
  if (held === undefined) throw new Error("it was not to be had");
  return held;
}

describe("a Lease as the renewal lock", () => {
  it("is made by PUT where there is none, without a version, and by nobody else's POST", async () => {
    const { clock, leases, process } = createBench();
    const { lock, api } = process(ids.a);
    const held = await taken(clock, lock);
    expect(api.sent.map(({ method }) => method)).toEqual(["GET", "PUT"]);
    expect(leases.spec("token")).toMatchObject({
      holderIdentity: ids.a,
      leaseDurationSeconds: 45,
      leaseTransitions: 0,
      acquireTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    expect(held.identity).toBe(`Lease presto/token of ${ids.a}`);
    expect(lock.name).toBe("Lease presto/token");
  });

  it("writes over what stands there only with its version, and leaves the rest of it as it is", async () => {
    const { clock, leases, process } = createBench();
    leases.put("token", { holderIdentity: "", leaseTransitions: 7, strategy: "kept" });
    const { lock, api } = process(ids.a);
    const held = await taken(clock, lock);
    await now(clock, held.renew());
    await now(clock, held.release());
    const writes = api.sent.filter(({ method }) => method === "PUT");
    expect(writes).toHaveLength(3);
    for (const { body } of writes) expect(body).toMatch(/"resourceVersion":"\d+"/);
    expect(leases.spec("token")).toMatchObject({
      holderIdentity: "",
      leaseDurationSeconds: 1,
      leaseTransitions: 8,
      strategy: "kept",
    });
  });

  it("is given to one of two who make it at the same moment", async () => {
    const { clock, leases, process } = createBench();
    const [a, b] = [process(ids.a), process(ids.b)];
    a.api.fates.push({
      after: () => leases.put("token", { holderIdentity: ids.b, leaseDurationSeconds: 45 }),
    });
    await expect(a.lock.acquire({ waitMs: 0 })).rejects.toMatchObject({
      code: "try-again",
      message: expect.stringContaining("The Pod presto/rotator-b holds the lock, the Lease presto/token."),
    });
    expect((await taken(clock, b.lock)).heldUntil()).toBe(leaseMs);
  });

  it("is given to one of two who see it run out at the same moment", async () => {
    const { clock, leases, process } = createBench();
    leases.put("token", { holderIdentity: "gone", leaseDurationSeconds: 45 });
    const waiting = [ids.a, ids.b].map((id) => follow(process(id).lock.acquire({ waitMs })));
    await clock.advance(leaseMs + 5_000);
    expect(waiting.filter((each) => each.now !== undefined)).toHaveLength(1);
  });

  it("is no other's whose name begins or ends with one's own", async () => {
    for (const name of [`${ids.a}x`, ids.a.slice(0, -1), ids.a.split("_")[0], ids.a.split("_")[1]]) {
      const { leases, process } = createBench();
      leases.put("token", { holderIdentity: name, leaseDurationSeconds: 45 });
      const { lock } = process(ids.a);
      await expect(lock.acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "try-again" });
    }
  });

  it("trusts no clock of another machine: what stands in it of times decides nothing", async () => {
    const { clock, leases, process } = createBench();
    leases.put("token", {
      holderIdentity: ids.b,
      leaseDurationSeconds: 45,
      renewTime: "2001-01-01T00:00:00.000000Z",
    });
    const waiting = follow(process(ids.a).lock.acquire({ waitMs }));
    await clock.advance(leaseMs - 100);
    expect(waiting.now).toBeUndefined();
    // Somebody only touched it: that is a change.
    leases.put("token", { renewTime: "2001-01-01T00:00:00.000000Z" });
    await clock.advance(leaseMs - 100);
    expect(waiting.now).toBeUndefined();
    await clock.advance(3_000);
    expect(waiting.now).toBeDefined();
  });

  it.each([
    [{ leaseDurationSeconds: 120 }, 120_000],
    [{ leaseDurationSeconds: 1 }, leaseMs],
    [{ leaseDurationSeconds: 0 }, leaseMs],
    [{ leaseDurationSeconds: -5 }, leaseMs],
    [{ leaseDurationSeconds: "soon" }, leaseMs],
    [{ leaseDurationSeconds: undefined, renewTime: undefined }, leaseMs],
    [{ holderIdentity: undefined }, leaseMs],
    [{ holderIdentity: 7 }, leaseMs],
  ])(
    "is held for the longer of LEASE and what stands in it, whatever that is: %j",
    async (fields, termMs) => {
      const { clock, leases, process } = createBench();
      leases.put("token", { holderIdentity: ids.b, leaseDurationSeconds: 45, ...fields });
      const waiting = follow(process(ids.a).lock.acquire({ waitMs }));
      await clock.advance(termMs - 10);
      expect(waiting.now).toBeUndefined();
      await clock.advance(2_000);
      expect(waiting.now).toBeDefined();
    },
  );

  it("counts its term from the sending of the write, and not from the answer", async () => {
    const { clock, process } = createBench();
    const { lock, api } = process(ids.a);
    api.fates.push({ answersAfterMs: 4_000 });
    const waiting = follow(lock.acquire({ waitMs: 0 }));
    await clock.advance(4_000);
    expect(waiting.now?.heldUntil()).toBe(leaseMs);
    api.fates.push({ answersAfterMs: 4_500 });
    const renewed = follow(waiting.now?.renew() ?? Promise.reject(new Error("not taken")));
    await clock.advance(4_500);
    expect([renewed.now, waiting.now?.heldUntil()]).toEqual([true, 4_000 + leaseMs]);
  });

  it("is lost where the answer comes after the term, and taken anew", async () => {
    const { clock, process } = createBench();
    const { lock, api } = process(ids.a);
    api.fates.push({ answersAfterMs: leaseMs + 1 });
    const waiting = follow(lock.acquire({ waitMs: 0 }));
    await clock.advance(leaseMs + 1);
    expect(waiting.now?.heldUntil()).toBe(2 * leaseMs + 1);
    api.fates.push({ answersAfterMs: leaseMs + 1 });
    const renewed = follow(waiting.now?.renew() ?? Promise.reject(new Error("not taken")));
    await clock.advance(leaseMs + 1);
    expect(renewed.now).toBe(false);
    expect(waiting.now?.heldUntil()).toBeLessThan(clock.monotonic());
  });

  it("keeps itself: it is renewed every LEASE/3 from the sending of the last write, for as long as it is held", async () => {
    const { clock, process } = createBench();
    const [a, b] = [process(ids.a), process(ids.b)];
    const held = await taken(clock, a.lock);
    const other = follow(b.lock.acquire({ waitMs }));
    await clock.advance(4 * leaseMs);
    const writes = a.api.sent.filter(({ method }) => method === "PUT").map(({ at }) => at);
    expect(writes).toEqual(Array.from({ length: 13 }, (_, index) => (index * leaseMs) / 3));
    expect(other.now).toBeUndefined();
    await held.release();
    await clock.advance(2_000);
    expect(other.now).toBeDefined();
    await clock.advance(leaseMs);
    expect(a.api.sent.filter(({ at }) => at > 4 * leaseMs + 1)).toEqual([]);
  });

  it("is renewed again and again while the server is away, and lost when the term is over", async () => {
    const { clock, process } = createBench();
    const { lock, api } = process(ids.a);
    const held = await taken(clock, lock);
    api.state = "cut";
    await clock.advance(leaseMs - 1);
    expect(held.heldUntil()).toBe(leaseMs);
    await clock.advance(1);
    api.state = "well";
    expect(held.heldUntil()).toBeLessThan(clock.monotonic());
    // It stands there in its name, and is lost all the same.
    expect((await now(clock, held.renew())).now).toBe(false);
    await clock.advance(leaseMs);
    expect(held.heldUntil()).toBeLessThan(clock.monotonic());
  });

  it("is not taken while another renews it, and is when the holder was killed, a term after it was last written", async () => {
    const { clock, process } = createBench();
    const [a, b] = [process(ids.a), process(ids.b)];
    await taken(clock, a.lock);
    const other = follow(b.lock.acquire({ waitMs }));
    await clock.advance(2 * leaseMs);
    a.api.state = "dead";
    const lastWrite = a.api.sent.findLast(({ method }) => method === "PUT")?.at ?? 0;
    await clock.advance(lastWrite + leaseMs - 1 - clock.monotonic());
    expect(other.now).toBeUndefined();
    await clock.advance(3_000);
    expect(other.now).toBeDefined();
  });

  it("is judged by reading where the answer to a write was lost: with the deadline of that write", async () => {
    const { clock, leases, process } = createBench();
    const { lock, api } = process(ids.a);
    api.fates.push("answer lost");
    const waiting = follow(lock.acquire({ waitMs: 0 }));
    await clock.advance(5_000);
    expect(waiting.now?.heldUntil()).toBe(leaseMs);
    const held = waiting.now;
    api.fates.push("answer lost");
    const renewed = follow(held?.renew() ?? Promise.reject(new Error("not taken")));
    await clock.advance(5_000);
    expect([renewed.now, held?.heldUntil()]).toEqual([true, 5_000 + leaseMs]);
    expect(leases.spec("token")?.["holderIdentity"]).toBe(ids.a);
  });

  it("is not taken where the write was lost, and is renewed by another where a renewal was", async () => {
    const { clock, process } = createBench();
    const { lock, api } = process(ids.a);
    api.fates.push("lost");
    const failed = await now(clock, lock.acquire({ waitMs: 0 }));
    await clock.advance(5_000);
    await expect(failed.promise).rejects.toMatchObject({ code: "unreachable" });
    const held = await taken(clock, lock);
    api.fates.push("lost");
    const renewed = follow(held.renew());
    await clock.advance(5_000);
    // Not from the one that was lost.
    expect([renewed.now, held.heldUntil()]).toEqual([true, 10_000 + leaseMs]);
  });

  it("is renewed over what somebody else wrote beside it, and lost where another has it", async () => {
    const { clock, leases, process } = createBench();
    const { lock, api } = process(ids.a);
    const held = await taken(clock, lock);
    api.fates.push({ after: () => leases.put("token", { strategy: "touched" }) });
    expect((await now(clock, held.renew())).now).toBe(true);
    expect(leases.spec("token")).toMatchObject({ strategy: "touched", holderIdentity: ids.a });
    leases.put("token", { holderIdentity: ids.b });
    expect((await now(clock, held.renew())).now).toBe(false);
    expect(held.heldUntil()).toBeLessThan(clock.monotonic());
    // What is lost stays lost, also where it comes back.
    leases.put("token", { holderIdentity: ids.a });
    expect((await now(clock, held.renew())).now).toBe(false);
    expect(leases.spec("token")?.["holderIdentity"]).toBe(ids.a);
  });

  it("is lost where the Lease is gone, and made anew by nobody who held it", async () => {
    const { clock, leases, process } = createBench();
    const held = await taken(clock, process(ids.a).lock);
    leases.remove("token");
    expect((await now(clock, held.renew())).now).toBe(false);
    await held.release();
    expect(leases.spec("token")).toBeUndefined();
  });

  it("is given back after a conflict too, and only where it is still ours", async () => {
    const { clock, leases, process } = createBench();
    const { lock, api } = process(ids.a);
    const held = await taken(clock, lock);
    api.fates.push({ after: () => leases.put("token", { strategy: "touched" }) });
    await now(clock, held.release());
    expect(leases.spec("token")).toMatchObject({ holderIdentity: "", strategy: "touched" });
    const again = await taken(clock, lock);
    leases.put("token", { holderIdentity: ids.b });
    await now(clock, again.release());
    expect(leases.spec("token")?.["holderIdentity"]).toBe(ids.b);
  });

  it("gives back no later taking of this process, however late its own giving back comes", async () => {
    const { clock, leases, process } = createBench();
    const { lock, api } = process(ids.a);
    const first = await taken(clock, lock);
    api.fates.push("lost", "lost");
    const released = follow(first.release());
    await clock.advance(6_000);
    expect(released.now).toBeUndefined();
    const second = await taken(clock, lock);
    await clock.advance(20_000);
    expect(leases.spec("token")?.["holderIdentity"]).toBe(ids.a);
    expect(second.heldUntil()).toBeGreaterThan(clock.monotonic());
  });

  it("is one holder's within a process, too", async () => {
    const { clock, process } = createBench();
    const { lock } = process(ids.a);
    const held = await taken(clock, lock);
    await expect(lock.acquire({ waitMs: 0 })).rejects.toThrow("This process holds the lock");
    await now(clock, held.release());
    await taken(clock, lock);
  });

  it("is asked for once a second or less by whoever waits, who is told by whom it is held", async () => {
    const { clock, process } = createBench();
    const [a, b] = [process(ids.a), process(ids.b)];
    await taken(clock, a.lock);
    const told: unknown[] = [];
    void b.lock.acquire({ waitMs, onHeld: (...what) => told.push(what) }).catch(() => {});
    await clock.advance(60_000);
    expect(b.api.sent.length).toBeGreaterThan(40);
    expect(b.api.sent.length).toBeLessThanOrEqual(61);
    expect(told[0]).toEqual(["The Pod presto/rotator-a", 0, { namespace: "presto", name: "rotator-a" }]);
    expect(told.length).toBeGreaterThan(5);
  });

  it("is outwaited by a process that asks once, where its holder is gone; one that lives is told at its next sign", async () => {
    const { clock, process } = createBench();
    const [a, b] = [process(ids.a), process(ids.b)];
    await taken(clock, a.lock);
    const outwaiting = { waitMs: 5_000, outwaits: true };
    const refused = await now(clock, b.lock.acquire(outwaiting));
    // It is renewed each LEASE/3.
    await clock.advance(leaseMs / 3 + 2_000);
    await expect(refused.promise).rejects.toThrow("The Pod presto/rotator-a holds the lock");
    a.api.state = "dead";
    const { lock } = process(ids.b);
    const waiting = await now(clock, lock.acquire(outwaiting));
    await clock.advance(leaseMs - 1_000);
    expect(waiting.now).toBeUndefined();
    await clock.advance(3_000);
    expect(waiting.now).toBeDefined();
  });

  it("is not outwaited where nobody asked for that, nor where another program has it for longer", async () => {
    const { clock, leases, process } = createBench();
    leases.put("token", { holderIdentity: ids.a, leaseDurationSeconds: 45 });
    const asked = await now(clock, process(ids.b).lock.acquire({ waitMs: 5_000 }));
    await clock.advance(5_001);
    await expect(asked.promise).rejects.toThrow("holds the lock");
    leases.put("token", { holderIdentity: "some-operator", leaseDurationSeconds: 3_600 });
    const other = await now(clock, process(ids.b).lock.acquire({ waitMs: 5_000, outwaits: true }));
    await clock.advance(5_001);
    await expect(other.promise).rejects.toThrow(
      '"some-operator", which is no presto-sidecar, holds the lock',
    );
  });

  it("ends the waiting at once when it is told to, and gives back what comes too late", async () => {
    const { clock, leases, process } = createBench();
    const { lock, api } = process(ids.a);
    api.fates.push({ answersAfterMs: 4_000 });
    const stop = new AbortController();
    const waiting = await now(clock, lock.acquire({ waitMs, signal: stop.signal }));
    expect(leases.spec("token")?.["holderIdentity"]).toBe(ids.a);
    stop.abort(new Error("stopping"));
    await expect(waiting.promise).rejects.toThrow("stopping");
    await clock.advance(5_000);
    expect(leases.spec("token")?.["holderIdentity"]).toBe("");
  });

  it("says that a program which is none of ours holds it", async () => {
    const { leases, process } = createBench();
    leases.put("token", { holderIdentity: "some-operator", leaseDurationSeconds: 15 });
    await expect(process(ids.a).lock.acquire({ waitMs: 0 })).rejects.toThrow(
      /^"some-operator", which is no presto-sidecar, holds the lock, the Lease presto\/token\. .*name another Lease in PRESTO_LOCK\.$/,
    );
  });

  it("is lost on a machine that slept", async () => {
    const { clock, process } = createBench();
    const held = await taken(clock, process(ids.a).lock);
    clock.suspend(2_000);
    expect(held.heldUntil()).toBeLessThan(clock.monotonic());
    expect((await now(clock, held.renew())).now).toBe(false);
  });
});
