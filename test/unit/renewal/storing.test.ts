import { describe, expect, it } from "vitest";

import type { Candidate } from "../../../src/renewal/run.ts";
import { storing } from "../../../src/renewal/storing.ts";
import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { idOf, intentBy, standing } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

async function candidateOf(bench: RenewalBench): Promise<Candidate> {
  const account = await bench.deps.accounts.next();
  if (account === undefined) throw new Error("no account");
  const since = bench.clock.monotonic();
  return { issued: issuedToken("token-2", bench.clock.now()), account, since };
}

async function store(bench: RenewalBench) {
  const begun = { to: "storing", standing: standing(bench), candidate: await candidateOf(bench) } as const;
  return { begun, next: await storing(await bench.at(), begun) };
}

describe("R7: the new token goes over the version that its intent made", () => {
  it("is served before it is stored, and told of after", async () => {
    const bench = createRenewalBench();
    const { begun, next } = await store(bench);
    expect(bench.trail).toEqual(["serve token-2 as 2", "write", "notice"]);
    expect(bench.store.record()).toEqual({
      ...begun.standing.record,
      generation: 2,
      home: null,
      dueWhenIssued: false,
      ...begun.candidate.issued,
      intent: null,
      writtenBy: { holder: "this-process", lock: "scripted lock" },
    });
    expect(next).toEqual({
      to: "idle",
      end: {
        kind: "renewed",
        tokenId: idOf("token-2"),
        generation: 2,
        expiresAt: begun.candidate.issued.expiresAt,
      },
    });
  });

  it("keeps the deaths, which only a person forgets", async () => {
    const bench = createRenewalBench({ stored: { unexplainedDeaths: [new Date(1)] } });
    await store(bench);
    expect(bench.store.record().unexplainedDeaths).toEqual([new Date(1)]);
  });

  it.each(["refused", "lost", "lost-but-applied"] as const)(
    "is not given up if that write is %s: R7b, with the token kept",
    async (end) => {
      const bench = createRenewalBench();
      bench.store.script(end);
      const { begun, next } = await store(bench);
      expect(next).toEqual({ to: "reconciling", candidate: begun.candidate });
      expect(bench.trail).not.toContain("withdraw token-2");
    },
  );

  it("is warned of as one that a process's end would lose, where the store did not answer", async () => {
    const bench = createRenewalBench();
    bench.store.script("lost");
    await store(bench);
    expect(bench.told).toEqual([expect.stringContaining("could not be stored")]);
  });

  it("does not go over what another has written since", async () => {
    const bench = createRenewalBench();
    const begun = standing(bench);
    bench.store.put({ intent: intentBy("another") });
    const candidate = await candidateOf(bench);
    const next = await storing(await bench.at(), { to: "storing", standing: begun, candidate });
    expect(next).toMatchObject({ to: "reconciling" });
    expect(bench.store.record().intent?.holder).toBe("another");
  });
});

describe("R7: the password that brought the token is proved", () => {
  it("takes the old one's place, if it was the pending one", async () => {
    const bench = createRenewalBench();
    bench.credentials.put({ password: "current", pending: "pending" });
    await store(bench);
    expect(bench.credentials.passwords()).toEqual({ password: "pending", pending: null });
  });

  it("leaves a pending one pending, if it was the old one: a late reset may still be executed", async () => {
    const bench = createRenewalBench();
    bench.credentials.put({ password: "current", pending: "pending" });
    const pending = await bench.deps.accounts.next();
    if (pending !== undefined) bench.deps.accounts.refused(pending);
    await store(bench);
    expect(bench.credentials.passwords()).toEqual({ password: "current", pending: "pending" });
  });

  it("is told of, and the token stored all the same, where that can't be written", async () => {
    const bench = createRenewalBench();
    bench.credentials.put({ password: "current", pending: "pending" });
    const begun = { to: "storing", standing: standing(bench), candidate: await candidateOf(bench) } as const;
    bench.credentials.fail(true);
    expect(await storing(await bench.at(), begun)).toMatchObject({ to: "idle", end: { kind: "renewed" } });
    expect(bench.told).toEqual([expect.stringContaining("PRESTO_CREDENTIALS")]);
  });
});
