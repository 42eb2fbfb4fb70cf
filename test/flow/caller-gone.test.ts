import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { httpAnswer } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { createSealedToken } from "../support/sealed-token.ts";
import type { SealedToken } from "../support/sealed-token.ts";
import { callLines, caughtUp, eventually, loadOf, noLoad, scrape } from "../support/sidecar-load.ts";
import { confirmCall, initCall, queryCall } from "../support/wallet-call.ts";

let presto: HeldPresto;
let sidecar: RunningSidecar;
let sealed: SealedToken;

beforeEach(async () => {
  presto = await startHeldPresto();
  sealed = await createSealedToken("token-1");
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { ...sealed.env, PRESTO_MAX_IN_FLIGHT: "1", PRESTO_TIMEOUT: "15s", PRESTO_HOLD_MAX: "10s" },
  });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
  sealed.remove();
});

const ways: readonly (readonly [string, (caller: RawCaller) => void])[] = [
  ["by a reset", (caller) => void caller.socket.resetAndDestroy()],
  ["by closing", (caller) => caller.close()],
];

/** The one line that is logged of it. */
async function line(): Promise<Record<string, unknown> | undefined> {
  await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  await eventually(() => callLines(sidecar).length).toBe(1);
  return callLines(sidecar)[0];
}

const notSent = { outcome: "not-sent", status: 0, sends: 0, caller_gone: true };

describe.each(ways)("a caller that goes away %s", (_name, leave) => {
  it("in the middle of its body: nothing is sent", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1").slice(0, -2));
    await eventually(async () => (await loadOf(sidecar)).buffered).toBeGreaterThan(0);
    leave(caller);
    expect(await line()).toMatchObject({
      operation: "wallet.confirm",
      outcome: "not-sent",
      sends: 0,
      audit: true,
    });
    expect(presto.requests).toHaveLength(0);
  });

  it("while it is held for a renewal: nothing is sent, not even later", async () => {
    await sealed.renewing();
    await sidecar.app.reload();
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    leave(caller);
    expect(await line()).toMatchObject(notSent);
    await sealed.token("token-2");
    await eventually(() => sidecar.log()).toContain('"generation":2');
    expect(presto.requests).toHaveLength(0);
  });

  it("while it is queued: nothing is sent when its turn would have come", async () => {
    const first = await openRawCaller(sidecar);
    first.send(queryCall("FIRST"));
    await presto.holds(1);
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    leave(caller);
    await eventually(() => callLines(sidecar)).toMatchObject([{ ...notSent, operation: "wallet.confirm" }]);
    presto.release();
    expect((await first.answers(1))[0]?.status).toBe(200);
    first.close();
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
    expect(presto.requests).toHaveLength(1);
  });
});

// A FIN alone does not say that the caller has gone, once its call was sent (half-close.test.ts).
describe("a caller that resets its connection", () => {
  const leave = (caller: RawCaller): void => void caller.socket.resetAndDestroy();

  it.each([
    ["a query", queryCall("T1"), "wallet.transaction"],
    ["an init", initCall(), "wallet.init"],
  ])(
    "while Presto has %s: it is cancelled there, and its outcome is unknown",
    async (_what, call, operation) => {
      const caller = await openRawCaller(sidecar);
      caller.send(call);
      await presto.holds(1);
      const cancelled = new Promise<void>((resolve) => {
        presto.waiting[0]?.socket.once("close", () => resolve());
      });
      leave(caller);
      await cancelled;
      expect(await line()).toMatchObject({
        outcome: "unknown",
        status: 0,
        sends: 1,
        operation,
        caller_gone: true,
      });
      const metrics = await scrape(sidecar);
      expect(metrics.value("presto_sidecar_callers_gone_total")).toBe(1);
      expect(
        metrics.value("presto_sidecar_calls_total", { operation, status: "0", outcome: "unknown" }),
      ).toBe(1);
    },
  );

  it("while Presto has a confirm: it is seen to its end, and its outcome is logged", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    leave(caller);
    await caughtUp(sidecar);
    expect(await loadOf(sidecar)).toMatchObject({ inFlight: 1 });
    expect(presto.waiting[0]?.socket.destroyed).toBe(false);
    presto.release();
    expect(await line()).toMatchObject({
      operation: "wallet.confirm",
      outcome: "answered",
      status: 200,
      sends: 1,
      caller_gone: true,
      audit: true,
    });
  });

  it("while Presto has a confirm that is then cut: what became of it is asked, and logged as unknown", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    leave(caller);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200, '{"data":{"status":"completed"}}')));
    presto.waiting[0]?.socket.destroy();
    expect(await line()).toMatchObject({
      level: "error",
      outcome: "unknown",
      code: "upstream-broken",
      caller_gone: true,
      audit: true,
    });
    await eventually(() => presto.requests.map(({ requestLine }) => requestLine.split(" ")[0])).toEqual([
      "POST",
      "GET",
    ]);
  });

  it("after a 401 of a confirm: it is not sent again", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    presto.release(401);
    await eventually(() => loadOf(sidecar)).toMatchObject({ inFlight: 0, queued: 1 });
    leave(caller);
    expect(await line()).toMatchObject({ sends: 1, caller_gone: true });
    await sealed.token("token-2");
    await eventually(() => sidecar.log()).toContain('"generation":2');
    expect(presto.requests).toHaveLength(1);
  });
});

describe("a caller that closes while Presto has its call", () => {
  it.each([
    ["a query", queryCall("T1"), false],
    ["a confirm", confirmCall("T1"), true],
  ])(
    "%s: is told apart from one that only closed its side, once its reply could not be written",
    async (_what, bytes, audit) => {
      const caller = await openRawCaller(sidecar);
      caller.send(bytes);
      await presto.holds(1);
      caller.close();
      await caughtUp(sidecar);
      presto.release();
      expect(await line()).toMatchObject({
        outcome: "answered",
        status: 200,
        caller_gone: true,
        ...(audit && { audit }),
      });
      expect((await scrape(sidecar)).value("presto_sidecar_callers_gone_total")).toBe(1);
    },
  );

  it("a confirm that fails: the problem was not read either", async () => {
    const caller = await openRawCaller(sidecar);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    caller.close();
    await caughtUp(sidecar);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200, '{"data":{"status":"completed"}}')));
    presto.waiting[0]?.socket.destroy();
    expect(await line()).toMatchObject({ outcome: "unknown", code: "upstream-broken", caller_gone: true });
  });
});
