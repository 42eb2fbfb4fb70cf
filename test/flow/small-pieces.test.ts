import { afterEach, beforeEach, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { exchange, openRawCaller, type RawCaller } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { caughtUp, eventually } from "../support/sidecar-load.ts";
import { queryCall, walletPaths } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;
const callers: RawCaller[] = [];

beforeEach(async () => {
  presto = await startRawPresto();
  // Bodies wait for each other, on a busy machine for long.
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_TIMEOUT: "100s" },
  });
});
afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await sidecar.close();
  await presto.close();
});

const head = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
/** So many bytes of a body, each in a chunk of its own. */
const pieces = (count: number): string => "1\r\nx\r\n".repeat(count);

it("a body that comes byte by byte arrives as it was, also in pipelined calls", async () => {
  const caller = await openRawCaller(sidecar);
  callers.push(caller);
  const one = `${head(walletPaths.init)}${pieces(50_000)}0\r\n\r\n`;
  caller.send(one + one + queryCall("T1"));
  const answers = await caller.answers(3);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(presto.requests.map(({ body }) => body.length).toSorted((a, b) => a - b)).toEqual([
    0, 50_000, 50_000,
  ]);
});

it.each([
  ["calls", walletPaths.init],
  ["requests that are refused, whose bodies are thrown away", "/api/institutions/v1/auth/token/issue"],
])(
  "many %s that come so let others be served in between",
  async (_what, path) => {
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    const rounds = 20;
    const body = pieces(20_000);
    for (let index = 0; index < 30; index += 1) {
      const caller = await openRawCaller(sidecar);
      callers.push(caller);
      caller.send(head(path));
      for (let round = 0; round < rounds; round += 1) caller.socket.write(body);
    }
    const waits: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      const begun = systemClock.monotonic();
      expect((await exchange(sidecar, queryCall("T1"))).status).toBe(200);
      waits.push(systemClock.monotonic() - begun);
    }
    // Those that came together are read once before any of them is known for what it is. Behind all 30 it would be a minute and more.
    expect(Math.max(...waits.slice(2))).toBeLessThan(10_000);
  },
  120_000,
);

it("the first of many such callers hold up liveness for no longer than a moment", async () => {
  const callersAtOnce: RawCaller[] = [];
  for (let index = 0; index < 30; index += 1) callersAtOnce.push(await openRawCaller(sidecar));
  callers.push(...callersAtOnce);
  await caughtUp(sidecar);
  // One read brings 64 KiB: ten thousand pieces of each, before any is known for what it is.
  for (const caller of callersAtOnce) caller.send(head(walletPaths.init) + pieces(12_000));
  const waits: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const begun = systemClock.monotonic();
    await caughtUp(sidecar);
    waits.push(systemClock.monotonic() - begun);
  }
  // Without the bound of a turn's pieces the first of them waited for all 30, which takes as long as half of these together.
  const all = waits.reduce((sum, each) => sum + each, 0);
  expect(Math.max(...waits)).toBeLessThan(Math.max(1_000, all / 2));
  for (const caller of callersAtOnce) caller.send("0\r\n\r\n");
  for (const caller of callersAtOnce) expect((await caller.answers(1))[0]?.status).toBe(200);
  expect(presto.requests.map(({ body }) => body.length)).toEqual(Array.from({ length: 30 }, () => 12_000));
}, 120_000);

it("a body that comes in a few pieces, one now and then, is read as each comes", async () => {
  const caller = await openRawCaller(sidecar);
  callers.push(caller);
  caller.send(head(walletPaths.init));
  for (let index = 0; index < 20; index += 1) {
    caller.send(`1\r\n${String.fromCharCode(0x61 + index)}\r\n`);
    await caughtUp(sidecar);
  }
  const begun = systemClock.monotonic();
  caller.send("0\r\n\r\n");
  expect((await caller.answers(1))[0]?.status).toBe(200);
  expect(systemClock.monotonic() - begun).toBeLessThan(10_000);
  await eventually(() => presto.requests.map(({ body }) => body.toString())).toEqual([
    "abcdefghijklmnopqrst",
  ]);
});
