import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, caughtUp, eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { confirmCall, initCall, queryCall } from "../support/wallet-call.ts";

let presto: HeldPresto;
let sidecar: RunningSidecar;

beforeEach(async () => {
  presto = await startHeldPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_MAX_IN_FLIGHT: "1" },
  });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

/** A caller that closes its sending side, and goes on reading. */
const halfCaller = () => openRawCaller(sidecar, { stubborn: true });

describe("a caller that closes its sending side", () => {
  it.each([
    ["a query", queryCall("T1")],
    ["an init", initCall()],
    ["a confirm", confirmCall("T1")],
  ])("after %s was sent gets the reply, and then the connection closes", async (_name, call) => {
    const caller = await halfCaller();
    caller.send(call);
    await presto.holds(1);
    caller.socket.end();
    await caughtUp(sidecar);
    presto.release();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 200 });
    await caller.ended();
    caller.close();
    await eventually(() => callLines(sidecar)).toMatchObject([{ outcome: "answered", status: 200 }]);
    expect(callLines(sidecar)[0]).not.toHaveProperty("caller_gone");
  });

  it("while its call is queued has gone: nothing is sent", async () => {
    const first = await openRawCaller(sidecar);
    first.send(queryCall("FIRST"));
    await presto.holds(1);
    const caller = await halfCaller();
    caller.send(confirmCall("T1"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    caller.socket.end();
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 0 });
    presto.release();
    await first.answers(1);
    first.close();
    caller.close();
    await eventually(() => callLines(sidecar).length).toBe(2);
    expect(callLines(sidecar)[0]).toMatchObject({ outcome: "not-sent", status: 0, caller_gone: true });
    expect(presto.requests).toHaveLength(1);
  });

  it("in the middle of its body has gone: nothing is sent", async () => {
    const caller = await halfCaller();
    caller.send(confirmCall("T1").slice(0, -2));
    await eventually(async () => (await loadOf(sidecar)).buffered).toBeGreaterThan(0);
    caller.socket.end();
    await caller.ended();
    caller.close();
    await eventually(() => callLines(sidecar)).toMatchObject([{ outcome: "not-sent", sends: 0 }]);
    expect(presto.requests).toHaveLength(0);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("behind two calls, one sent and one queued, gets the reply to the one that was sent", async () => {
    const caller = await halfCaller();
    caller.send(confirmCall("SENT"));
    await presto.holds(1);
    caller.send(queryCall("QUEUED"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    caller.socket.end();
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 0 });
    presto.release();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining("confirm") });
    caller.close();
    expect(presto.requests).toHaveLength(1);
  });

  it("without a call gets its connection closed", async () => {
    const caller = await halfCaller();
    caller.socket.end();
    await caller.ended();
    caller.close();
    expect(caller.received()).toBe("");
  });

  it("after a reply, on an idle connection, gets it closed", async () => {
    const caller = await halfCaller();
    caller.send(queryCall("T1"));
    await presto.holds(1);
    presto.release();
    await caller.answers(1);
    caller.socket.end();
    await caller.ended();
    caller.close();
  });
});
