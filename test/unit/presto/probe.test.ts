import { describe, expect, it } from "vitest";

import { createProbe, type ProbeAnswer } from "../../../src/presto/probe.ts";
import { Secret } from "../../../src/secret.ts";
import { createTokenHealth, type TokenHealth } from "../../../src/token/health.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const token = new Secret("the-token");
const id = token.fingerprint();

interface ProbeRun {
  readonly verdict: string;
  readonly asked: string[];
  readonly took: number;
  readonly evidence: TokenHealth;
}

interface RunOptions {
  readonly madeUp?: ProbeAnswer;
  /** What was known an hour before the probe. */
  readonly before?: (evidence: TokenHealth) => void;
  /** What comes to be known while the first question is asked, 1 s later. */
  readonly meanwhile?: (evidence: TokenHealth) => void;
}

async function probing(forToken: ProbeAnswer[], options: RunOptions = {}): Promise<ProbeRun> {
  const clock = createHandClock();
  const evidence = createTokenHealth(clock);
  options.before?.(evidence);
  await clock.advance(3_600_000);
  const asked: string[] = [];
  const probe = createProbe({
    clock,
    evidence,
    ask: async (given) => {
      const mine = given.reveal() === "the-token";
      asked.push(mine ? "token" : "made-up");
      if (asked.length === 1 && options.meanwhile !== undefined) {
        await clock.sleep(1_000);
        options.meanwhile(evidence);
      }
      return mine ? (forToken.shift() ?? "other") : (options.madeUp ?? "unauthorized");
    },
  });
  const startedAt = clock.monotonic();
  let verdict = "waits";
  let took = 0;
  void probe(token).then((value) => {
    verdict = value;
    took = clock.monotonic() - startedAt;
  });
  await clock.advance(10_000);
  return { verdict, asked, took, evidence };
}

describe("a probe", () => {
  it("concludes nothing from two 401s to a token that was just made: Presto's replicas may not know it yet", async () => {
    const clock = createHandClock();
    const evidence = createTokenHealth(clock);
    const probe = createProbe({ clock, evidence, ask: async () => "unauthorized" });
    evidence.issued(token.fingerprint());
    const verdicts: string[] = [];
    const ask = async (): Promise<void> => {
      void probe(token).then((verdict) => verdicts.push(verdict));
      await clock.advance(2_000);
    };
    await ask();
    await clock.advance(27_999);
    await ask();
    await ask();
    expect(verdicts).toEqual(["young", "young", "dead"]);
  });

  it("takes a success for alive", async () => {
    expect(await probing(["success"])).toMatchObject({ verdict: "alive", asked: ["token"] });
  });

  it("takes two 401s at least 2 s apart for dead", async () => {
    expect(await probing(["unauthorized", "unauthorized"])).toMatchObject({ verdict: "dead", took: 2_000 });
  });

  it("concludes nothing from one 401 that was followed by something else", async () => {
    expect(await probing(["unauthorized", "other"])).toMatchObject({ verdict: "unclear" });
  });

  it("takes one 401 that was followed by a good answer for a lie", async () => {
    expect(await probing(["unauthorized", "success"])).toMatchObject({ verdict: "alive", took: 2_000 });
    expect(await probing(["unauthorized", "not-found"])).toMatchObject({ verdict: "alive" });
    const blind = { madeUp: "not-found" } as const;
    expect(await probing(["unauthorized", "not-found"], blind)).toMatchObject({ verdict: "blind" });
  });

  it("takes 'no such transaction' for alive only if a made-up token gets 401", async () => {
    expect(await probing(["not-found"])).toMatchObject({ verdict: "alive", asked: ["token", "made-up"] });
    expect(await probing(["not-found"], { madeUp: "not-found" })).toMatchObject({ verdict: "blind" });
    expect(await probing(["not-found"], { madeUp: "other" })).toMatchObject({ verdict: "unclear" });
  });

  it("concludes nothing from anything else", async () => {
    expect(await probing(["other"])).toMatchObject({ verdict: "unclear" });
  });

  it("needs no evidence", async () => {
    const probe = createProbe({ clock: createHandClock(), ask: async () => "other" });
    expect(await probe(token)).toBe("unclear");
  });
});

describe("a probe that is unclear by itself", () => {
  it.each<[string, ProbeAnswer[]]>([
    ["is asked in vain", ["other"]],
    ["finds the record looked for first", ["not-found"]],
    ["is answered by one 401", ["unauthorized", "other"]],
  ])("and %s is settled by what own calls have shown", async (_what, answers) => {
    const run = (options: RunOptions): Promise<ProbeRun> =>
      probing([...answers], { madeUp: "not-found", ...options });
    expect((await run({ meanwhile: (own) => own.accepted(id) })).verdict).toBe("alive");
    const open = answers[0] === "not-found" ? "blind" : "unclear";
    expect((await run({ before: (own) => own.accepted(id) })).verdict).toBe(open);
    expect((await run({ meanwhile: (own) => own.accepted(id, 3_599_999) })).verdict).toBe(open);
    expect((await run({ meanwhile: (own) => own.accepted("another") })).verdict).toBe(open);
    const refusedOnce: RunOptions = { meanwhile: (own) => own.refused(id) };
    expect((await run(refusedOnce)).verdict).toBe(open);
    expect((await run({ ...refusedOnce, before: (own) => own.refused(id) })).verdict).toBe("dead");
  });
});

describe("a probe's own answers", () => {
  it("are worth no more than those of own calls that contradict them", async () => {
    const run = await probing(["unauthorized", "unauthorized"], { meanwhile: (own) => own.accepted(id) });
    expect(run.verdict).toBe("unclear");
    const late = await probing(["unauthorized", "unauthorized"], { meanwhile: (own) => own.accepted(id, 0) });
    expect(late.verdict).toBe("dead");
  });

  it.each<[ProbeAnswer[]]>([[["success"]], [["not-found"]], [["unauthorized", "success"]]])(
    "%j take the refusals back that own calls have met",
    async (answers) => {
      const before = (own: TokenHealth): void => own.refused(id);
      const { evidence } = await probing(answers, { before });
      evidence.refused(id);
      expect(evidence.refusedTwice(id)).toBe(false);
    },
  );
});

describe("a Presto that looks for the record before the token", () => {
  async function blindAfter(madeUp: ProbeAnswer[]): Promise<number> {
    let blind = 0;
    const probe = createProbe({
      clock: createHandClock(),
      ask: async (given) => (given.reveal() === "the-token" ? "not-found" : (madeUp.shift() ?? "not-found")),
      onBlind: () => {
        blind += 1;
      },
    });
    await probe(token);
    await probe(token);
    await probe(token);
    return blind;
  }

  it("is told of once", async () => {
    expect(await blindAfter([])).toBe(1);
    expect(await blindAfter(["other", "other"])).toBe(1);
  });

  it("is not taken for one after a made-up token got 401, nor after no answer", async () => {
    expect(await blindAfter(["unauthorized"])).toBe(0);
    expect(await blindAfter(["other", "other", "other"])).toBe(0);
  });
});

describe("a stored token that is younger than 30 s", () => {
  async function seemsDead(issuedAt: (now: number) => Date, prestoAheadMs = 0): Promise<string> {
    const clock = createHandClock();
    const prestoNow = (): number => clock.now() + prestoAheadMs;
    const probe = createProbe({ clock, prestoNow, ask: async () => "unauthorized" });
    let verdict = "waits";
    void probe(token, { issuedAt: issuedAt(prestoNow()) }).then((found) => (verdict = found));
    await clock.advance(10_000);
    return verdict;
  }

  it("is not taken for dead, whoever made it", async () => {
    expect(await seemsDead((now) => new Date(now - 29_999))).toBe("young");
    expect(await seemsDead((now) => new Date(now - 30_000))).toBe("dead");
  });

  it("by Presto's clock as its answers tell of it, also to a process that had heard of none before", async () => {
    const clock = createHandClock();
    const hourMs = 3_600_000;
    let aheadMs = 0;
    const probe = createProbe({
      clock,
      prestoNow: () => clock.now() + aheadMs,
      async ask() {
        aheadMs = -hourMs;
        return "unauthorized";
      },
    });
    const verdict = probe(token, { issuedAt: new Date(clock.now() - hourMs - 5_000) });
    await clock.advance(10_000);
    expect(await verdict).toBe("young");
  });

  it("by Presto's clock, which made the date; one that is far ahead protects no dead token", async () => {
    expect(await seemsDead((now) => new Date(now - 10_000), 90 * 24 * 3_600_000)).toBe("young");
    expect(await seemsDead((now) => new Date(now + 30_000))).toBe("dead");
  });
});

describe("where Presto looks for the record first", () => {
  async function verdictOf(evidenceOf: (evidence: TokenHealth, now: number) => void): Promise<string> {
    const clock = createHandClock();
    const evidence = createTokenHealth(clock);
    await clock.advance(3_600_000);
    const probe = createProbe({ clock, evidence, ask: async () => "not-found" });
    evidenceOf(evidence, clock.monotonic());
    return probe(token, { acceptedFrom: () => clock.monotonic() - 5_000 });
  }

  it("a call that was sent lately and accepted says that the token lives", async () => {
    expect(await verdictOf((own, now) => own.accepted(id, now - 5_000))).toBe("alive-lately");
    expect(await verdictOf((own, now) => own.accepted(id, now - 5_001))).toBe("blind");
  });

  it("unless one was refused since", async () => {
    const both = (own: TokenHealth, now: number): void => {
      own.accepted(id, now - 1_000);
      own.refused(id);
    };
    expect(await verdictOf(both)).toBe("blind");
  });
});
