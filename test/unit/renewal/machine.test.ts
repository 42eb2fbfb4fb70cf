import { describe, expect, it } from "vitest";

import { settled } from "../../support/hand-clock.ts";
import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { idOf, intentBy, rejected, wishBeyond } from "../../support/renewal-cases.ts";
import { issuedToken, refusal } from "../../support/scripted-presto.ts";

/** Presto will issue a token, whenever it is asked. */
function issuable(bench: RenewalBench, token = "token-2"): void {
  bench.presto.will({ kind: "issued", issued: issuedToken(token, bench.clock.now()) });
}

const count = (bench: RenewalBench, step: string): number =>
  bench.trail.filter((each) => each === step).length;

describe("one run through the states", () => {
  it("does everything in the order of the protocol, under the lock", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    issuable(bench);
    const run = bench.begin(wishBeyond("token-1"));
    await bench.clock.advance(0);
    expect(bench.trail).toEqual([
      "lock",
      "read",
      "probe token-1",
      "write",
      "notice",
      "quiet 2000",
      "lock again",
      "read",
      "issue",
      "serve token-2 as 2",
      "write",
      "notice",
      "unlock",
    ]);
    expect(bench.moves).toEqual([
      "reading",
      "probing",
      "intending",
      "checking",
      "issuing",
      "storing",
      "idle",
    ]);
    expect(run.now).toMatchObject({ kind: "renewed", generation: 2 });
    expect(bench.store.record()).toMatchObject({ generation: 2, intent: null });
  });

  it("issues the first token where there is none, and creates the record before", async () => {
    const bench = createRenewalBench({ stored: null });
    issuable(bench, "token-1");
    const run = bench.begin();
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed", generation: 1 });
    expect(bench.store.written.map(({ token, intent }) => [token?.reveal(), intent?.id])).toEqual([
      [undefined, "id-1"],
      ["token-1", undefined],
    ]);
  });

  it.each([
    { end: "lost", kind: "unreachable" },
    { end: "refused", kind: "shut-down" },
  ] as const)(
    "makes no call before an intent of its own stands (S2): its writes are $end",
    async ({ end, kind }) => {
      const bench = createRenewalBench();
      bench.presto.says("token-1", "alive");
      bench.store.script(...Array.from({ length: 50 }, () => end));
      const run = bench.begin(wishBeyond("token-1"));
      await bench.clock.advance(60_000);
      bench.draining.abort();
      await bench.clock.advance(0);
      expect(run.now).toMatchObject({ kind });
      expect(bench.presto.calls).toEqual([]);
    },
  );

  it("does not spin where every write is refused", async () => {
    const bench = createRenewalBench({ stored: { intent: intentBy("another") } });
    bench.store.script(...Array.from({ length: 1_000 }, () => "refused" as const));
    bench.begin();
    await bench.clock.advance(60_000);
    expect(count(bench, "write refused")).toBeLessThan(25);
    bench.draining.abort();
    await bench.clock.advance(0);
  });

  it("takes another write of its own for each password", async () => {
    const bench = createRenewalBench();
    bench.credentials.put({ password: "current", pending: "pending" });
    bench.presto.says("token-1", "alive");
    bench.presto.will(refusal(401));
    issuable(bench);
    const run = bench.begin(wishBeyond("token-1"));
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.store.written.map(({ intent }) => intent?.id)).toEqual(["id-1", "id-2", undefined]);
    expect(bench.store.written[1]?.intent?.soleCall).toBe(false);
  });

  it("stays stopped while the alarm is latched, and is idle after every other end", async () => {
    const bench = createRenewalBench({ stored: { stopped: { reason: "two owners", at: new Date(0) } } });
    expect(await bench.begin().promise).toEqual({ kind: "stopped", detail: "two owners" });
    expect(bench.renewal.state()).toBe("stopped");
    bench.store.put({ stopped: null });
    expect(await bench.begin().promise).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.renewal.state()).toBe("idle");
  });
});

describe("one dead token", () => {
  it("is told once and not counted, however often Presto refuses to replace it: no alarm", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    for (let tries = 0; tries < 6; tries += 1) {
      bench.presto.will(refusal(429));
      const run = bench.begin(rejected("token-1"));
      await bench.clock.advance(5_000);
      expect(run.now).toMatchObject({ kind: "refused" });
    }
    expect(bench.store.record()).toMatchObject({ stopped: null, unexplainedDeaths: [], lastDeath: null });
    expect(bench.told.filter((signal) => signal.startsWith("death"))).toEqual(["death 1"]);
  });

  it("is counted once, however many processes find it: the record knows which token it was for", async () => {
    const bench = createRenewalBench({
      stored: { unexplainedDeaths: [new Date(0)], lastDeath: idOf("token-1") },
    });
    bench.presto.says("token-1", "dead");
    issuable(bench, "token-2");
    bench.begin(rejected("token-1"));
    await bench.clock.advance(5_000);
    expect(bench.store.record()).toMatchObject({ generation: 2, unexplainedDeaths: [new Date(0)] });
    expect(bench.told.filter((signal) => signal.startsWith("death"))).toEqual([]);
  });

  it("that a lost call of ours explains is not counted at all", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive", "dead");
    bench.presto.will({ kind: "unclear", cause: undefined }, refusal(429), refusal(429));
    const run = bench.begin(wishBeyond("token-1"));
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "refused" });
    bench.begin(rejected("token-1"));
    await bench.clock.advance(0);
    expect(bench.store.record().unexplainedDeaths).toEqual([]);
  });

  it("of each token that somebody else kills is, and the fourth is not answered by an issue (L4)", async () => {
    const bench = createRenewalBench();
    for (const [index, token] of ["token-1", "token-2", "token-3", "token-4"].entries()) {
      bench.presto.says(token, "dead");
      issuable(bench, `token-${index + 2}`);
      bench.begin(rejected(token));
      await bench.clock.advance(60_000);
    }
    expect(bench.presto.calls).toHaveLength(3);
    expect(bench.renewal.state()).toBe("stopped");
    expect(bench.store.record().unexplainedDeaths).toHaveLength(4);
    expect(bench.store.record().intent).toBeNull();
  });
});

describe("the lock", () => {
  it("is given back after every end", async () => {
    const ends: ((bench: RenewalBench) => void)[] = [
      ({ presto }) => presto.says("token-1", "alive"),
      ({ presto }) => presto.will(refusal(429)),
      ({ store }) => store.failReads(1),
      ({ credentials }) => credentials.put(undefined),
      ({ draining, presto }) => presto.beforeFirstByte(() => draining.abort()),
    ];
    for (const arrange of ends) {
      const bench = createRenewalBench();
      bench.presto.says("token-1", "alive");
      arrange(bench);
      issuable(bench);
      const run = bench.begin(wishBeyond("token-1"));
      await bench.clock.advance(0);
      expect(run.now).toBeDefined();
      expect(bench.trail.filter((step) => step === "lock" || step === "unlock")).toEqual(["lock", "unlock"]);
    }
  });

  it("is given back, and the state left, even where a part breaks its promise", async () => {
    const bench = createRenewalBench();
    const broken = Promise.withResolvers<"alive">();
    bench.presto.says("token-1", broken.promise);
    const run = bench.begin(wishBeyond("token-1"));
    broken.reject(new Error("a defect"));
    await expect(run.promise).rejects.toThrow("a defect");
    expect(bench.trail.at(-1)).toBe("unlock");
    expect(bench.renewal.state()).toBe("idle");
  });

  it("is not waited for any longer once the process is asked to end", async () => {
    const bench = createRenewalBench();
    bench.knobs.lockFree = new Promise(() => {});
    const run = bench.begin();
    await settled();
    bench.draining.abort(new Error("asked to end"));
    await expect(run.promise).rejects.toThrow("asked to end");
    expect(bench.trail).toEqual([]);
  });
});

describe("answers that nobody can read", () => {
  it("are asked for ever more seldom: the wait doubles, up to half an hour", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    bench.knobs.due = true;
    bench.presto.will(...Array.from({ length: 12 }, () => ({ kind: "unclear", cause: undefined }) as const));
    bench.begin();
    const gaps: number[] = [];
    let calls = 1;
    let since = 0;
    for (let minutes = 0; minutes < 200; minutes += 0.5) {
      await bench.clock.advance(30_000);
      since += 30_000;
      if (bench.presto.calls.length === calls) continue;
      calls = bench.presto.calls.length;
      gaps.push(since / 60_000);
      since = 0;
    }
    const settles = [1.5, 3, 6, 12, 24, 30, 30, 30, 30];
    expect(gaps.length).toBeGreaterThan(6);
    // A probe and GRACE come on top of each.
    for (const [index, gap] of gaps.entries()) expect(gap - (settles[index] ?? 30)).toBeLessThanOrEqual(1);
    for (const [index, gap] of gaps.entries())
      expect(gap).toBeGreaterThanOrEqual((settles[index] ?? 30) - 0.5);
  });
});
