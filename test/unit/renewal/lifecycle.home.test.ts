import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { startedLifecycle } from "../../support/lifecycle-bench.ts";

const home = { uid: "uid-1", name: "token" };
const elsewhere = { uid: "uid-2", name: "token" };

describe("R0: a record that is not what this process remembers", () => {
  it.each([
    { name: "another token", put: { token: new Secret("token-0") } },
    { name: "another token, which works", put: { token: new Secret("token-3") } },
    {
      name: "another token, while the alarm is latched",
      put: { token: new Secret("token-0"), stopped: { reason: "two owners", at: new Date(0) } },
    },
    { name: "another object's record", put: { home: elsewhere } },
  ])("is a reason to take the lock: $name", async ({ put }) => {
    const bench = await startedLifecycle();
    bench.store.tellsOf(home);
    bench.presto.says("token-3", "alive");
    await bench.clock.advance(60_000);
    const before = bench.runs.length;
    bench.store.put(put);
    bench.lifecycle.recordChanged();
    expect(bench.runs.length).toBe(before + 1);
  });

  it("so is one that was taken away", async () => {
    const bench = await startedLifecycle();
    const before = bench.runs.length;
    bench.store.remove();
    bench.lifecycle.recordChanged();
    expect(bench.runs.length).toBe(before + 1);
  });

  it("an alarm ends with the record that it stood in, and a token is issued where nothing is remembered", async () => {
    const stopped = { reason: "two owners", at: new Date(0) };
    const bench = await startedLifecycle({ stored: { stopped } });
    bench.remembered.died(new Secret("token-1").fingerprint());
    bench.lifecycle.recordChanged();
    const before = bench.runs.length;
    expect(bench.lifecycle.report().stopped).toEqual(stopped);
    bench.store.remove();
    bench.lifecycle.recordChanged();
    expect(bench.runs.length).toBe(before + 1);
    expect(bench.lifecycle.report().stopped).toBeNull();
  });

  it("waits for its back-off where the last look has told nothing", async () => {
    const bench = await startedLifecycle();
    bench.store.put({ token: new Secret("token-0") });
    bench.lifecycle.recordChanged();
    const before = bench.runs.length;
    await bench.last().end({ kind: "unreachable", detail: "no answer" });
    expect(bench.runs.length).toBe(before);
    await bench.clock.advance(1_000);
    expect(bench.runs.length).toBe(before + 1);
  });

  it("a probe of the stored token alone is enough to remember it, and one of another object's is not", async () => {
    const bench = await startedLifecycle();
    expect(bench.remembered.all().map(({ token }) => token.reveal())).toEqual(["token-1"]);
    bench.store.tellsOf(home);
    bench.store.put({ token: new Secret("token-3"), home: elsewhere });
    bench.presto.says("token-3", "alive");
    await bench.clock.advance(70_000);
    expect(bench.remembered.all().map(({ token }) => token.reveal())).toEqual(["token-1"]);
  });
});

describe("R0: a record that was written for another object, with nothing remembered", () => {
  async function blocked() {
    const bench = await startedLifecycle({ stored: { home: elsewhere } });
    bench.store.tellsOf(home);
    bench.remembered.died(new Secret("token-1").fingerprint());
    bench.lifecycle.recordChanged();
    return bench;
  }

  it("gives no reason for a run: not the clock, a death, an intent, nor a request", async () => {
    const bench = await blocked();
    const before = bench.runs.length;
    bench.knobs.due = true;
    bench.presto.says("token-1", "dead");
    bench.store.put({
      intent: { id: "x", holder: "y", soleCall: true, reason: "scheduled", at: new Date(0) },
    });
    bench.lifecycle.recordChanged();
    await bench.clock.advance(300_000);
    expect(await bench.lifecycle.renew({ force: false, waitMs: 1_000 })).toMatchObject({
      kind: "elsewhere",
      detail: expect.stringContaining('uid "uid-2"'),
    });
    expect(bench.runs.length).toBe(before);
  });

  it("is told and shown for as long as it lasts", async () => {
    const bench = await blocked();
    expect(bench.told.filter((each) => each.endsWith("where"))).toEqual(["elsewhere"]);
    expect(bench.lifecycle.report().elsewhere).toContain("another object");
    bench.store.put({ home });
    bench.lifecycle.recordChanged();
    expect(bench.told.at(-1)).toBe("at home");
    expect(bench.lifecycle.report().elsewhere).toBeNull();
  });

  it("begins a run for a person's force", async () => {
    const bench = await blocked();
    const before = bench.runs.length;
    void bench.lifecycle.renew({ force: true, waitMs: 1_000 });
    expect(bench.runs.length).toBe(before + 1);
    expect(bench.last().trigger.request?.force).toBe(true);
  });

  it("answers who had waited for a token", async () => {
    const bench = await startedLifecycle();
    bench.store.tellsOf(home);
    const reply = bench.lifecycle.renew({ force: false, waitMs: 60_000 });
    await bench.clock.advance(0);
    bench.remembered.died(new Secret("token-1").fingerprint());
    bench.store.put({ home: elsewhere });
    await bench.last().end({ kind: "unreachable", detail: "no answer" });
    expect(await reply).toMatchObject({ kind: expect.stringMatching(/^(unreachable|elsewhere)$/) });
  });
});
