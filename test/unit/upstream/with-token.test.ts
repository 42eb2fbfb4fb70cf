import { describe, expect, it } from "vitest";

import { Problem } from "../../../src/errors.ts";
import { cancel } from "../../../src/lib/async.ts";
import { intent } from "../../support/memory-store.ts";
import { answer, follow, openTokenStep, put, type TokenStep } from "../../support/token-step.ts";

describe("sending again", () => {
  it("happens after a 401 with the token that the store has by then", async () => {
    const bench = await openTokenStep((token) => answer(token === "token-2" ? 200 : 401));
    bench.store.put({ token: "token-2" });
    const result = follow(bench.perform(bench.call()));
    await bench.clock.advance(0);
    expect(result.now()).toBe(200);
    expect(bench.sent).toEqual(["token-1", "token-2"]);
  });

  it("goes on as long as the store shows tokens that this call was not refused with, five sends at most", async () => {
    let serial = 1;
    const bench: TokenStep = await openTokenStep(() => {
      serial += 1;
      bench.store.put({ token: `token-${serial}` });
      return answer(401);
    });
    const result = follow(bench.perform(bench.call()));
    await bench.clock.advance(0);
    expect(result.now()).toBe(401);
    expect(bench.sent).toEqual(["token-1", "token-2", "token-3", "token-4", "token-5"]);
  });

  it.each([200, 400, 403, 404, 409, 422, 429, 500, 502, 503])("never happens after a %i", async (status) => {
    const bench = await openTokenStep(() => answer(status));
    bench.store.put({ token: "token-2" });
    expect((await bench.perform(bench.call())).status).toBe(status);
    expect(bench.sent).toHaveLength(1);
  });

  it("never happens after an unknown outcome", async () => {
    let sends = 0;
    const bench = await openTokenStep(() => {
      sends += 1;
      return new Problem("upstream-broken", { detail: "cut" });
    });
    bench.store.put({ token: "token-2" });
    await expect(bench.perform(bench.call())).rejects.toMatchObject({ code: "upstream-broken" });
    expect(sends).toBe(1);
  });

  it("gives the 401 to the caller when the store brings nothing else in time", async () => {
    const bench = await openTokenStep(() => answer(401));
    const result = follow(bench.perform(bench.call()));
    await bench.clock.advance(4_999);
    expect(result.now()).toBe("waits");
    await bench.clock.advance(1);
    expect(result.now()).toBe(401);
    expect(bench.sent).toEqual(["token-1"]);
  });

  it("gives the 401 to the caller at the deadline, though a renewal is under way", async () => {
    const bench = await openTokenStep(() => answer(401));
    const call = bench.call(8_000);
    const result = follow(bench.perform(call));
    await put(bench, { intent: intent("i-1") });
    await bench.clock.advance(7_000);
    expect(result.now()).toBe("waits");
    cancel(call, "deadline");
    await bench.clock.advance(0);
    expect(result.now()).toBe(401);
  });

  it("gives the 401 to the caller when the next send found no connection: nothing of it got out", async () => {
    const bench = await openTokenStep((token) =>
      token === "token-1" ? answer(401) : new Problem("upstream-unreachable", { detail: "refused" }),
    );
    bench.store.put({ token: "token-2" });
    const result = follow(bench.perform(bench.call()));
    await bench.clock.advance(0);
    expect(result.now()).toBe(401);
  });

  it("does not happen for a caller that has gone while it waited", async () => {
    const bench = await openTokenStep(() => answer(401));
    const call = bench.call();
    const result = follow(bench.perform(call));
    await bench.clock.advance(1_000);
    cancel(call, "caller-gone");
    await put(bench, { token: "token-2" });
    expect(result.now()).toBe(401);
    expect(bench.sent).toEqual(["token-1"]);
  });
});
