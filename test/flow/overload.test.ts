import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Clock } from "../../src/clock.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { createJumpingClock } from "../support/jumping-clock.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { caughtUp, eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { confirmCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";

let presto: HeldPresto;
let sidecar: RunningSidecar;
const callers: RawCaller[] = [];

beforeEach(async () => {
  presto = await startHeldPresto();
});

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await sidecar.close();
  await presto.close();
});

async function start(env: Record<string, string>, clock?: Clock): Promise<void> {
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env,
    ...(clock === undefined ? {} : { clock }),
  });
}

async function call(bytes: string): Promise<RawCaller> {
  const caller = await openRawCaller(sidecar);
  callers.push(caller);
  caller.send(bytes);
  return caller;
}

const overloaded = {
  status: 503,
  code: "overloaded",
  outcome: "not-sent",
  proxyStatus: "connection_limit_reached",
  retryable: true,
  retryAfter: true,
} as const;

const targets = (): readonly (string | undefined)[] =>
  presto.requests.map(({ requestLine }) => requestLine.split(" ")[1]?.split("/").at(-1));

describe("at most PRESTO_MAX_IN_FLIGHT calls are sent and PRESTO_MAX_QUEUE wait;", () => {
  it("a further one gets 503 overloaded at once, and those that wait go in the order of their coming", async () => {
    await start({ PRESTO_MAX_IN_FLIGHT: "2", PRESTO_MAX_QUEUE: "3" });
    for (const name of ["A", "B"]) await call(queryCall(name));
    await presto.holds(2);
    const queued: RawCaller[] = [];
    for (const [index, name] of ["C", "D", "E"].entries()) {
      queued.push(await call(queryCall(name)));
      await eventually(() => loadOf(sidecar)).toMatchObject({ inFlight: 2, queued: index + 1 });
    }
    expectProblem(await exchange(sidecar, confirmCall("F")), overloaded);
    expect(presto.requests).toHaveLength(2);
    while (targets().length < 5 || presto.waiting.length > 0) {
      expect(presto.waiting.length).toBeLessThanOrEqual(2);
      await eventually(() => presto.waiting.length).toBeGreaterThan(0);
      presto.release();
    }
    for (const caller of queued) expect((await caller.answers(1))[0]?.status).toBe(200);
    expect(targets().slice(2)).toEqual(["C", "D", "E"]);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("one whose turn comes when its time is nearly over gets 503 overloaded as well", async () => {
    await start({ PRESTO_MAX_IN_FLIGHT: "1", PRESTO_MAX_QUEUE: "1", PRESTO_TIMEOUT: "2s" });
    // Of the same moment: the turn of the second comes at the first one's deadline, and its own is as good as there.
    const caller = await call(queryCall("A") + queryCall("B"));
    const [first, second] = await caller.answers(2);
    expect(first?.status).toBe(504);
    expectProblem(second, overloaded);
    expect(targets()).not.toContain("B");
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("with a queue of none there is no waiting", async () => {
    await start({ PRESTO_MAX_IN_FLIGHT: "1", PRESTO_MAX_QUEUE: "0" });
    const first = await call(queryCall("A"));
    await presto.holds(1);
    expectProblem(await exchange(sidecar, queryCall("B")), overloaded);
    presto.release();
    expect((await first.answers(1))[0]?.status).toBe(200);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
    presto.answer(({ socket }) => void socket.write("HTTP/1.1 204 X\r\n\r\n"));
    expect((await exchange(sidecar, queryCall("C"))).status).toBe(204);
  });

  it("a place in the queue is free again when its caller goes away", async () => {
    await start({ PRESTO_MAX_IN_FLIGHT: "1", PRESTO_MAX_QUEUE: "1" });
    await call(queryCall("A"));
    await presto.holds(1);
    for (let round = 0; round < 3; round += 1) {
      const waiting = await call(queryCall("GONE"));
      await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
      waiting.socket.resetAndDestroy();
      await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 0 });
    }
    const last = await call(queryCall("B"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    presto.release();
    await presto.holds(1);
    presto.release();
    expect((await last.answers(1))[0]?.status).toBe(200);
    expect(targets()).toEqual(["A", "B"]);
  });
});

describe("PRESTO_MAX_BUFFERED bounds all bodies together:", () => {
  it("one that does not fit is refused, until another is done", async () => {
    await start({ PRESTO_MAX_BUFFERED: "100KiB" });
    const large = postCall(walletPaths.init, "x".repeat(60 * 1024));
    const first = await call(large);
    await presto.holds(1);
    await eventually(() => loadOf(sidecar)).toMatchObject({ buffered: 60 * 1024 });
    expectProblem(await exchange(sidecar, large), overloaded);
    expect(presto.requests).toHaveLength(1);
    presto.release();
    expect((await first.answers(1))[0]?.status).toBe(200);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
    const second = await call(large);
    await presto.holds(1);
    presto.release();
    expect((await second.answers(1))[0]?.status).toBe(200);
  });

  it("a small body that came in one chunk of two counts once, and is counted while it waits", async () => {
    await start({ PRESTO_MAX_IN_FLIGHT: "1" });
    await call(queryCall("A"));
    await presto.holds(1);
    const waiting = await call(postCall(walletPaths.init, "x".repeat(5_000)));
    await eventually(() => loadOf(sidecar)).toEqual({ inFlight: 1, queued: 1, buffered: 5_000 });
    waiting.close();
    await eventually(() => loadOf(sidecar)).toEqual({ inFlight: 1, queued: 0, buffered: 0 });
  });
});

describe("bodies that come slowly give way, the oldest first:", () => {
  const slow = (bytes: number): string =>
    postCall(walletPaths.init, "x".repeat(100_000)).slice(0, -100_000 + bytes);

  // A second of theirs, for a busy machine, is ten.
  const clock = createJumpingClock(createFastClock(0.1));

  it("where there is no place for another call", async () => {
    await start({ PRESTO_MAX_IN_FLIGHT: "1", PRESTO_MAX_QUEUE: "0" }, clock);
    const bodies: RawCaller[] = [];
    // As many as may be under way.
    for (let index = 0; index < 64; index += 1) bodies.push(await call(slow(1)));
    await caughtUp(sidecar);
    expectProblem(await exchange(sidecar, confirmCall("EARLY")), overloaded);
    clock.jump(1_100);
    const confirm = await call(confirmCall("A"));
    await presto.holds(1);
    presto.release();
    expect((await confirm.answers(1))[0]?.status).toBe(200);
    const [gone] = (await bodies[0]?.answers(1)) ?? [];
    expectProblem(gone, overloaded);
    expect(bodies.slice(1).map((body) => body.received())).toEqual(bodies.slice(1).map(() => ""));
  });

  it("where there is no memory for another body", async () => {
    await start({ PRESTO_MAX_BUFFERED: "100KiB" }, clock);
    const first = await call(slow(50_000));
    const second = await call(slow(50_000));
    await eventually(() => loadOf(sidecar)).toMatchObject({ buffered: 100_000 });
    const large = postCall(walletPaths.init, "x".repeat(20_000));
    expectProblem(await exchange(sidecar, large), overloaded);
    clock.jump(1_100);
    const third = await call(large);
    await presto.holds(1);
    presto.release();
    expect((await third.answers(1))[0]?.status).toBe(200);
    expectProblem((await first.answers(1))[0], overloaded);
    expect(second.received()).toBe("");
  });
});

describe("a caller that is still sending can read that it was refused", () => {
  const size = 8 * 1024 * 1024;
  const piece = Buffer.alloc(64 * 1024, "x");
  const head = (...lines: readonly string[]): string =>
    [`POST ${walletPaths.init} HTTP/1.1`, "Host: localhost", ...lines, "", ""].join("\r\n");

  /** Sends to the end before it reads, as many clients do. */
  async function sendAll(caller: RawCaller, first: string, chunked: boolean): Promise<void> {
    caller.send(first);
    for (let sent = 0; sent < size && !caller.socket.destroyed; sent += piece.length) {
      if (chunked) caller.send(`${piece.length.toString(16)}\r\n`);
      const flushed = caller.socket.write(piece);
      if (chunked) caller.send("\r\n");
      if (flushed) continue;
      await new Promise<void>((resolve) => {
        caller.socket.once("drain", () => resolve());
        caller.socket.once("close", () => resolve());
      });
    }
    if (chunked) caller.send("0\r\n\r\n");
  }

  it.each([
    ["with a length", [`Content-Length: ${size}`], false],
    ["with a length and Connection: close", [`Content-Length: ${size}`, "Connection: close"], false],
    ["in chunks", ["Transfer-Encoding: chunked"], true],
    ["in chunks and with Connection: close", ["Transfer-Encoding: chunked", "Connection: close"], true],
  ] as const)("%s: overloaded", async (_name, lines, chunked) => {
    await start({ PRESTO_MAX_IN_FLIGHT: "1", PRESTO_MAX_QUEUE: "0", PRESTO_MAX_BODY: "64MiB" });
    await call(queryCall("A"));
    await presto.holds(1);
    const caller = await openRawCaller(sidecar);
    callers.push(caller);
    const errors: unknown[] = [];
    caller.socket.on("error", (error) => errors.push(error));
    await sendAll(caller, head(...lines), chunked);
    expectProblem((await caller.answers(1))[0], overloaded);
    await caller.ended();
    expect(errors).toEqual([]);
  });

  it("when the memory for bodies is full in the middle of its body", async () => {
    await start({ PRESTO_MAX_BUFFERED: "1MiB", PRESTO_MAX_BODY: "64MiB" });
    const caller = await openRawCaller(sidecar);
    callers.push(caller);
    await sendAll(caller, head("Transfer-Encoding: chunked"), true);
    expectProblem((await caller.answers(1))[0], overloaded);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
    expect(presto.requests).toHaveLength(0);
  });
});
