import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { echo, startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, caughtUp, eventually, loadOf } from "../support/sidecar-load.ts";
import { confirmCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";

let presto: HeldPresto;
let sidecar: RunningSidecar | undefined;
let quits = 0;

beforeEach(async () => {
  quits = 0;
  presto = await startHeldPresto();
});

afterEach(async () => {
  await sidecar?.close();
  sidecar = undefined;
  await presto.close();
});

async function start(env: Record<string, string> = {}): Promise<RunningSidecar> {
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_CONTROL_LISTEN: "127.0.0.1:0", ...env },
    onQuit: () => (quits += 1),
  });
  return sidecar;
}

const draining = {
  status: 503,
  code: "draining",
  outcome: "not-sent",
  proxyStatus: "proxy_internal_response",
  retryable: true,
  retryAfter: true,
} as const;

async function readiness(side: RunningSidecar): Promise<number> {
  return (await fetch(`http://127.0.0.1:${side.adminPort}/readyz`)).status;
}

async function control(side: RunningSidecar, verb: string): Promise<number> {
  const { control: address } = side.addresses;
  const port = address?.kind === "tcp" ? address.port : 0;
  const headers = { "Presto-Control": "1" };
  return (await fetch(`http://127.0.0.1:${port}${verb}`, { method: "POST", headers })).status;
}

describe("draining", () => {
  it("refuses new calls, finishes those under way, and is then clean", async () => {
    const side = await start();
    const caller = await openRawCaller(side);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    const drained = side.app.drain();
    expect(await readiness(side)).toBe(503);
    expectProblem(await exchange(side, queryCall("T2")), draining);
    presto.release();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 200, headers: { connection: "close" } });
    await caller.ended();
    expect(await drained).toBe("clean");
    expect(presto.requests).toHaveLength(1);
  });

  it("keeps accepting for PRESTO_DRAIN_MIN, though it is no longer ready", async () => {
    const side = await start({ PRESTO_DRAIN_MIN: "2s" });
    const startedAt = performance.now();
    const drained = side.app.drain();
    presto.answer((request) => void request.socket.write(echo(request)));
    expect(await readiness(side)).toBe(503);
    expect((await exchange(side, queryCall("T1"))).status).toBe(200);
    expect(await drained).toBe("clean");
    expect(performance.now() - startedAt).toBeGreaterThan(1_990);
    expectProblem(await exchange(side, queryCall("T2")), draining);
  });

  it("ends at PRESTO_DRAIN_MAX, and what is cut off then is in the log", async () => {
    const side = await start({ PRESTO_DRAIN_MAX: "500ms" });
    const caller = await openRawCaller(side);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    const startedAt = performance.now();
    expect(await side.app.drain()).toBe("cut-off");
    expect(performance.now() - startedAt).toBeGreaterThan(400);
    await side.close();
    sidecar = undefined;
    await caller.ended();
    expect(callLines(side)).toMatchObject([
      { operation: "wallet.confirm", outcome: "unknown", sends: 1, audit: true },
    ]);
  });

  it("lets calls that wait for their turn have it", async () => {
    const side = await start({ PRESTO_MAX_IN_FLIGHT: "1" });
    const callers = await Promise.all([openRawCaller(side), openRawCaller(side)]);
    for (const caller of callers) caller.send(nextConfirmCall());
    await eventually(() => loadOf(side)).toMatchObject({ inFlight: 1, queued: 1 });
    const drained = side.app.drain();
    for (const count of [1, 1]) {
      await presto.holds(count);
      presto.release();
    }
    for (const caller of callers) expect((await caller.answers(1))[0]?.status).toBe(200);
    expect(await drained).toBe("clean");
  });

  it("answers one more request on an idle connection, so that none meets a closed one, and closes others with their last reply", async () => {
    const side = await start();
    const [idle, busy] = [await openRawCaller(side), await openRawCaller(side)];
    idle.send(queryCall("IDLE"));
    await presto.holds(1);
    presto.release();
    await idle.answers(1);
    busy.send(confirmCall("A") + confirmCall("B"));
    await presto.holds(2);
    const drained = side.app.drain();
    await caughtUp(side);
    // Closed at once, it could be closed under a request that is on its way: the caller would not know its fate.
    idle.send(queryCall("LATE"));
    expect((await idle.answers(2))[1]).toMatchObject({ status: 503, headers: { connection: "close" } });
    await idle.ended();
    const [first, second] = presto.waiting.splice(0);
    first?.socket.write(echo(first));
    await busy.answers(1);
    second?.socket.write(echo(second));
    // Both were accepted before: a confirm whose reply is dropped would be an unknown one.
    expect((await busy.answers(2)).map(({ status }) => status)).toEqual([200, 200]);
    await busy.ended();
    expect(await drained).toBe("clean");
  });

  it("refuses what comes behind a call that is under way, and closes with that", async () => {
    const side = await start();
    const caller = await openRawCaller(side);
    caller.send(confirmCall("A"));
    await presto.holds(1);
    const drained = side.app.drain();
    await caughtUp(side);
    caller.send(confirmCall("B"));
    await eventually(() => callLines(side)).toMatchObject([{ code: "draining" }]);
    presto.release();
    const [first, second] = await caller.answers(2);
    expect([first?.status, second?.status]).toEqual([200, 503]);
    expect([first?.headers["connection"], second?.headers["connection"]]).toEqual(["keep-alive", "close"]);
    await caller.ended();
    expect(await drained).toBe("clean");
    expect(presto.requests).toHaveLength(1);
  });

  it("also closes a connection whose last reply is a problem", async () => {
    const side = await start();
    const caller = await openRawCaller(side);
    caller.send(queryCall("A"));
    await presto.holds(1);
    const drained = side.app.drain();
    await caughtUp(side);
    presto.waiting[0]?.socket.destroy();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 502, headers: { connection: "close" } });
    expect(await drained).toBe("clean");
    caller.close();
  });
});

describe("the control listener", () => {
  it("POST /drain: readiness goes, new calls are refused, one under way finishes, the process stays", async () => {
    const side = await start();
    const caller = await openRawCaller(side);
    caller.send(confirmCall("T1"));
    await presto.holds(1);
    expect(await readiness(side)).toBe(200);
    expect(await control(side, "/drain")).toBe(200);
    expect(await readiness(side)).toBe(503);
    expectProblem(await exchange(side, queryCall("T2")), draining);
    presto.release();
    expect((await caller.answers(1))[0]?.status).toBe(200);
    caller.close();
    expect(quits).toBe(0);
    expect((await fetch(`http://127.0.0.1:${side.adminPort}/livez`)).status).toBe(200);
    // A drain that follows, as SIGTERM does, need not accept for PRESTO_DRAIN_MIN again.
    expect(await side.app.drain()).toBe("clean");
  });

  it("POST /quit asks for the end, once its reply is out", async () => {
    const side = await start();
    expect(await control(side, "/quit")).toBe(200);
    await eventually(() => quits).toBe(1);
  });

  it("POST /reload reads the token and the CA file again", async () => {
    expect(await control(await start(), "/reload")).toBe(200);
  });
});
