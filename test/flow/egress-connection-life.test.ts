import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { createConnections, type Connections } from "../../src/upstream/connections.ts";
import { createHandClock, type HandClock } from "../support/hand-clock.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { openWay } from "../support/way-out.ts";

const authority = await createAuthority();
const minuteMs = 60_000;

async function start(connections = 4): Promise<{ presto: RawPresto; clock: HandClock; pool: Connections }> {
  const presto = await startRawPresto({ authority });
  onTestFinished(() => presto.close());
  const clock = createHandClock();
  const { connector } = await openWay({ port: presto.port, caPem: authority.certPem, clock });
  const origin = { url: presto.url, host: "localhost", port: presto.port };
  const pool = createConnections({ origin, connector, connections, timeoutMs: 10_000, clock });
  onTestFinished(() => pool.destroy());
  return { presto, clock, pool };
}

/** Sends one call. @returns its status, or the error's code */
function call(pool: Connections): Promise<number | string> {
  return new Promise((resolve) => {
    let status = 0;
    pool.dispatch(
      { method: "GET", path: "/" },
      {
        onRequestStart() {},
        onResponseStart: (_controller, code) => void (status = code),
        onResponseData() {},
        onResponseEnd: () => resolve(status),
        onResponseError: (_controller, error) => resolve(String(Reflect.get(error, "code"))),
      },
    );
  });
}

describe("a connection", () => {
  it("is used again for five minutes, and not after", async () => {
    const { presto, clock, pool } = await start();
    for (let minute = 0; minute < 5; minute += 1) {
      expect(await call(pool)).toBe(200);
      await clock.advance(minuteMs - 1);
    }
    expect(presto.connections()).toBe(1);
    await clock.advance(5);
    expect(await call(pool)).toBe(200);
    expect(presto.connections()).toBe(2);
    await expect.poll(() => presto.open()).toBe(1);
  });

  it("that has a call when its time is over is closed after that call", async () => {
    const { presto, clock, pool } = await start();
    presto.answer(() => {});
    const first = call(pool);
    await expect.poll(() => presto.requests.length).toBe(1);
    await clock.advance(5 * minuteMs);
    presto.answer(({ socket }) => void socket.write(httpAnswer(201)));
    expect(await call(pool)).toBe(201);
    expect(presto.open()).toBe(2);
    presto.requests[0]?.socket.write(httpAnswer(200));
    expect(await first).toBe(200);
    await expect.poll(() => presto.open()).toBe(1);
    expect(await call(pool)).toBe(201);
    expect(presto.requests.map(({ connection }) => connection)).toEqual([1, 2, 2]);
  });

  it("does not end with all others that were opened with it, so that no call waits for a pool that is made anew", async () => {
    const callers = 16;
    const { presto, clock, pool } = await start(callers);
    /** All call at once, so that each has a connection to itself. @returns how many of those were new */
    async function round(): Promise<number> {
      const [opened, asked] = [presto.connections(), presto.requests.length];
      const calls = Array.from({ length: callers }, () => call(pool));
      await expect.poll(() => presto.requests.length, { timeout: 10_000, interval: 1 }).toBe(asked + callers);
      for (const { socket } of presto.requests.slice(asked)) socket.write(httpAnswer(200));
      expect(await Promise.all(calls)).toEqual(calls.map(() => 200));
      return presto.connections() - opened;
    }
    presto.answer(() => {});
    await round();
    for (let part = 0; part < 5; part += 1) {
      await clock.advance((4 * minuteMs) / 5 - 10);
      expect(await round()).toBe(0);
    }
    const renewed: number[] = [];
    for (let part = 0; part < 20; part += 1) {
      await clock.advance(minuteMs / 20);
      renewed.push(await round());
    }
    expect(renewed.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(callers - 1);
    expect(Math.max(...renewed)).toBeLessThan(callers / 2);
  });

  it("takes calls that wait for it to their end, though its time is over", async () => {
    const { presto, clock, pool } = await start(1);
    presto.answer(() => {});
    const waiting = [call(pool), call(pool), call(pool)];
    await expect.poll(() => presto.requests.length).toBe(1);
    await clock.advance(5 * minuteMs);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    expect(await call(pool)).toBe(200);
    presto.requests[0]?.socket.write(httpAnswer(200));
    expect(await Promise.all(waiting)).toEqual([200, 200, 200]);
    await expect.poll(() => presto.open()).toBe(1);
  });

  it("is cut off with its pool, whether or not its time is over", async () => {
    const { presto, clock, pool } = await start();
    presto.answer(() => {});
    const first = call(pool);
    await expect.poll(() => presto.requests.length).toBe(1);
    await clock.advance(5 * minuteMs);
    const second = call(pool);
    await expect.poll(() => presto.requests.length).toBe(2);
    await pool.destroy();
    expect(await Promise.all([first, second])).toEqual(["UND_ERR_DESTROYED", "UND_ERR_DESTROYED"]);
    await expect.poll(() => presto.open()).toBe(0);
  });
});
