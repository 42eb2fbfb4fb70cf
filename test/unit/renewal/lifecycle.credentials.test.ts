import { describe, expect, it } from "vitest";

import { nothing, refusedAll, startedLifecycle } from "../../support/lifecycle-bench.ts";
import { idOf, intentBy } from "../../support/renewal-cases.ts";

const hour = 60 * 60_000;

describe("refused credentials", () => {
  it("are not tried again by the clock, nor for a dead token, until they change", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    await bench.last().end(refusedAll);
    bench.lifecycle.tokenRejected(idOf("token-1"));
    await bench.clock.advance(hour);
    expect(bench.runs).toHaveLength(2);
    expect(bench.lifecycle.report().credentialsRefused).toBe("all refused");
    bench.lifecycle.credentialsChanged();
    expect(bench.runs).toHaveLength(3);
    expect(bench.lifecycle.report().credentialsRefused).toBeNull();
  });

  it("that changed while the run ended are tried", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    bench.lifecycle.credentialsChanged();
    await bench.last().end(refusedAll);
    await bench.clock.advance(5_000);
    expect(bench.runs).toHaveLength(3);
  });

  it("do not keep an intent from being settled, and are still refused afterwards", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    await bench.last().end(refusedAll);
    bench.store.put({ intent: intentBy("killed") });
    await bench.clock.advance(15_000);
    expect(bench.runs).toHaveLength(3);
    bench.store.put({ intent: null });
    await bench.last().end(nothing);
    expect(bench.lifecycle.report().credentialsRefused).toBe("all refused");
  });
});
