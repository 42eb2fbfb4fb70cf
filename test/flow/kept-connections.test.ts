import { setTimeout as pause } from "node:timers/promises";

import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { Secret } from "../../src/secret.ts";
import { createToken } from "../../src/token/token.ts";
import type { Call, Response } from "../../src/upstream/call.ts";
import { type Connections, createConnections } from "../../src/upstream/connections.ts";
import { createSend } from "../../src/upstream/dispatch.ts";
import { createHandClock, type HandClock } from "../support/hand-clock.ts";
import { plainCall } from "../support/plain-call.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { openWay } from "../support/way-out.ts";

// docs/decisions/connections.md: money never goes over a connection that may be dying.

const authority = await createAuthority();
const token = createToken(new Secret("token-1"), 1);
const secondMs = 1_000;
const minuteMs = 60_000;

interface Bench {
  readonly presto: RawPresto;
  readonly clock: HandClock;
  readonly connections: Connections;
  /** Sends one, and says over which connection it came; or what it failed with. */
  send(call: Call): Promise<number | string>;
  get(): Promise<number | string>;
  post(): Promise<number | string>;
}

async function start(most = 8): Promise<Bench> {
  const presto = await startRawPresto({ authority });
  onTestFinished(() => presto.close());
  const clock = createHandClock();
  const { connector } = await openWay({ port: presto.port, caPem: authority.certPem, clock });
  const origin = { url: presto.url, host: "localhost", port: presto.port };
  const connections = createConnections({ origin, connector, connections: most, timeoutMs: 10_000, clock });
  onTestFinished(() => connections.destroy());
  const step = createSend({ connections, clock });
  const send = async (call: Call): Promise<number | string> => {
    try {
      await new Promise<Response>((answered, failed) => {
        step(call, token, { answered, failed });
      });
      return presto.requests.at(-1)?.connection ?? 0;
    } catch (error) {
      return String(Reflect.get(Object(error), "code"));
    }
  };
  return {
    presto,
    clock,
    connections,
    send,
    get: () => send(plainCall(clock.monotonic())),
    post: () => send(plainCall(clock.monotonic(), 20_000, "wallet.confirm")),
  };
}

/** Until what was just freed may be taken again. */
const turn = (): Promise<void> => pause(20);

async function idleFor(bench: Bench, ms: number): Promise<void> {
  await turn();
  await bench.clock.advance(ms);
}

/** Presto ends the connection that it was asked on last, and that is noticed. */
async function endByPresto({ presto }: Bench): Promise<void> {
  const open = presto.open();
  presto.requests.at(-1)?.socket.end();
  await expect.poll(() => presto.open()).toBe(open - 1);
  await turn();
}

describe("a call that is no GET", () => {
  it("takes a connection that was used less than 4 s ago, and none that was idle for longer", async () => {
    const bench = await start();
    expect(await bench.post()).toBe(1);
    await idleFor(bench, 4 * secondMs - 1);
    expect(await bench.post()).toBe(1);
    await idleFor(bench, 4 * secondMs);
    expect(await bench.post()).toBe(2);
  });

  it("takes none that was idle for half of the time after which Presto was seen to close one", async () => {
    const bench = await start();
    await bench.get();
    await idleFor(bench, 2 * secondMs);
    await endByPresto(bench);
    expect(await bench.post()).toBe(2);
    await idleFor(bench, secondMs - 1);
    expect(await bench.post()).toBe(2);
    await idleFor(bench, secondMs);
    expect(await bench.post()).toBe(3);
  });

  it("takes none that was idle for half of the time that Presto names", async () => {
    const bench = await start();
    bench.presto.answer(({ socket }) => void socket.write(httpAnswer(200, "{}", ["Keep-Alive: timeout=5"])));
    expect(await bench.post()).toBe(1);
    await idleFor(bench, 2_499);
    expect(await bench.post()).toBe(1);
    await idleFor(bench, 2_500);
    expect(await bench.post()).toBe(2);
  });

  it("goes over another where Presto has just closed one, and does not see that as an end of its own", async () => {
    const bench = await start();
    for (const how of ["end", "destroy"] as const) {
      const connection = await bench.post();
      await turn();
      bench.presto.requests.at(-1)?.socket[how]();
      expect(await bench.post()).toBe(Number(connection) + 1);
      await turn();
    }
  });

  it("is not sent again, whatever it was sent over", async () => {
    const bench = await start();
    expect(await bench.post()).toBe(1);
    await idleFor(bench, 3 * secondMs);
    bench.presto.answer(({ socket }) => void socket.destroy());
    expect(await bench.post()).toBe("upstream-broken");
    expect(bench.presto.requests.length).toBe(2);
  });

  it("finds a place where all connections have been idle for too long", async () => {
    const bench = await start(1);
    expect(await bench.post()).toBe(1);
    await idleFor(bench, 5 * secondMs);
    expect(await bench.post()).toBe(2);
    await expect.poll(() => bench.presto.open()).toBe(1);
  });
});

describe("a GET", () => {
  it("takes a connection that was idle for less than a minute", async () => {
    const bench = await start();
    expect(await bench.get()).toBe(1);
    await idleFor(bench, minuteMs - 1);
    expect(await bench.get()).toBe(1);
    await idleFor(bench, minuteMs);
    expect(await bench.get()).toBe(2);
  });

  it("is sent once more over a fresh one if a long idle one ends before a byte of the response, and that counts", async () => {
    const bench = await start();
    expect(await bench.get()).toBe(1);
    await idleFor(bench, 10 * secondMs);
    bench.presto.answer(({ socket, connection }) => {
      if (connection === 1) socket.destroy();
      else socket.write(httpAnswer(200));
    });
    const call = plainCall(bench.clock.monotonic());
    expect(await bench.send(call)).toBe(2);
    expect([call.attempts, bench.presto.requests.length]).toEqual([2, 3]);
  });

  it("is sent no third time", async () => {
    const bench = await start();
    await bench.get();
    await idleFor(bench, 10 * secondMs);
    bench.presto.answer(({ socket }) => void socket.destroy());
    expect(await bench.get()).toBe("upstream-broken");
    expect(bench.presto.requests.length).toBe(3);
  });

  it("is unknown, and not sent again, where bytes of a response came, or the connection was just used", async () => {
    const bench = await start();
    await bench.get();
    await turn();
    bench.presto.answer(({ socket }) => void socket.destroy());
    expect(await bench.get()).toBe("upstream-broken");
    bench.presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    await bench.get();
    await idleFor(bench, 10 * secondMs);
    bench.presto.answer(({ socket }) => void socket.end("H"));
    expect(await bench.get()).toBe("upstream-broken");
    expect(bench.presto.requests.length).toBe(4);
    bench.presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    await bench.get();
    await idleFor(bench, 10 * secondMs);
    bench.presto.answer(({ socket }) => void socket.end("HTTP/1.1 100 Continue\r\n\r\n"));
    expect(await bench.get()).toBe("upstream-broken");
    expect(bench.presto.requests.length).toBe(6);
  });
});

describe("spare connections", () => {
  const never = (): boolean => false;
  const always = (): boolean => true;

  it("stand ready for five minutes after start, at most 12 handshakes a minute, and none after that", async () => {
    const bench = await start();
    bench.connections.keepSpares(always);
    await expect.poll(() => bench.presto.connections()).toBe(1);
    for (let minute = 1; minute <= 5; minute += 1) {
      const before = bench.presto.connections();
      for (let second = 0; second < 60; second += 1) await idleFor(bench, secondMs);
      expect(bench.presto.connections() - before).toBeLessThanOrEqual(12);
      expect(bench.presto.open()).toBeLessThanOrEqual(3);
    }
    const all = bench.presto.connections();
    expect(all).toBeGreaterThan(20);
    for (let second = 0; second < 120; second += 1) await idleFor(bench, secondMs);
    expect(bench.presto.connections() - all).toBeLessThanOrEqual(1);
    await expect.poll(() => bench.presto.open()).toBe(0);
  }, 60_000);

  it("serve money calls, which need no handshake then", async () => {
    const bench = await start();
    bench.connections.keepSpares(always);
    await expect.poll(() => bench.presto.connections()).toBe(1);
    for (let second = 0; second < 30; second += 1) await idleFor(bench, secondMs);
    const before = bench.presto.connections();
    expect(await bench.post()).toBeLessThanOrEqual(before);
    expect(bench.presto.connections()).toBe(before);
  });

  it("that Presto has closed are not taken", async () => {
    const bench = await start();
    let last: { end(): void } | undefined;
    bench.presto.greet((socket) => {
      last = socket;
    });
    bench.connections.keepSpares(always);
    await expect.poll(() => bench.presto.connections()).toBe(1);
    await turn();
    last?.end();
    expect(await bench.post()).toBe(2);
  });

  it("are not opened while nothing may leave", async () => {
    const bench = await start();
    bench.connections.keepSpares(never);
    for (let second = 0; second < 30; second += 1) await idleFor(bench, secondMs);
    expect(bench.presto.connections()).toBe(0);
  });
});

describe("connections that are destroyed", () => {
  it("leave nothing open, not even one that was just being handed over", async () => {
    const bench = await start();
    bench.connections.keepSpares(() => true);
    await expect.poll(() => bench.presto.connections()).toBe(1);
    await turn();
    const call = bench.post();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    await bench.connections.destroy();
    // The tries that follow find nothing either.
    await bench.clock.advance(1_000);
    expect(await call).toBe("upstream-unreachable");
    await expect.poll(() => bench.presto.open()).toBe(0);
  });
});

describe("a burst of calls", () => {
  it("finds the connections that come free first, and opens fewer than there are calls", async () => {
    const bench = await start(128);
    const ends = await Promise.all(Array.from({ length: 128 }, () => bench.get()));
    expect(ends.every((end) => typeof end === "number")).toBe(true);
    expect(bench.presto.requests.length).toBe(128);
    expect(bench.presto.connections()).toBeLessThan(128);
  });
});
