import { describe, expect, it } from "vitest";

import { createProbe } from "../../../src/presto/probe.ts";
import type { ProbeAnswer } from "../../../src/presto/probe.ts";
import { Secret } from "../../../src/secret.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const token = new Secret("the-token");

async function verdict(
  forToken: ProbeAnswer[],
  forMadeUp: ProbeAnswer = "unauthorized",
): Promise<{ verdict: string; asked: string[]; took: number }> {
  const clock = createHandClock();
  const asked: string[] = [];
  const probe = createProbe({
    clock,
    ask: async (given) => {
      const mine = given.reveal() === "the-token";
      asked.push(mine ? "token" : "made-up");
      return mine ? (forToken.shift() ?? "other") : forMadeUp;
    },
  });
  let result = "waits";
  let took = 0;
  void probe(token).then((value) => {
    result = value;
    took = clock.monotonic();
  });
  await clock.advance(10_000);
  return { verdict: result, asked, took };
}

describe("a probe", () => {
  it("takes a success for alive", async () => {
    expect(await verdict(["success"])).toMatchObject({ verdict: "alive", asked: ["token"] });
  });

  it("takes two 401s at least 2 s apart for dead", async () => {
    expect(await verdict(["unauthorized", "unauthorized"])).toMatchObject({ verdict: "dead", took: 2_000 });
  });

  it("concludes nothing from one 401 that was followed by something else", async () => {
    expect(await verdict(["unauthorized", "success"])).toMatchObject({ verdict: "unclear" });
  });

  it("takes 'no such transaction' for alive only if a made-up token gets 401", async () => {
    expect(await verdict(["not-found"])).toMatchObject({ verdict: "alive", asked: ["token", "made-up"] });
    expect(await verdict(["not-found"], "not-found")).toMatchObject({ verdict: "unclear" });
    expect(await verdict(["not-found"], "other")).toMatchObject({ verdict: "unclear" });
  });

  it("concludes nothing from anything else", async () => {
    expect(await verdict(["other"])).toMatchObject({ verdict: "unclear" });
  });
});
