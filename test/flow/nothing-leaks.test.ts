import { afterAll, beforeAll, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { confirmCall, initCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: {
      PRESTO_MAX_IN_FLIGHT: "8",
      PRESTO_MAX_QUEUE: "24",
      PRESTO_MAX_BUFFERED: "3MiB",
      PRESTO_TIMEOUT: "4s",
    },
  });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

/** A generator of numbers below 1 that a seed replays (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const whole = httpAnswer(200, '{"data":{"status":"completed"}}');
const large = httpAnswer(200, "x".repeat(1_500_000));
const scripts: readonly ((request: WireRequest) => void)[] = [
  ({ socket }) => void socket.write(whole),
  ({ socket }) => void socket.write(whole),
  ({ socket }) => void setTimeout(() => socket.write(whole), 5),
  ({ socket }) => void socket.write(large),
  ({ socket }) => void socket.destroy(),
  ({ socket }) => void socket.end(whole.slice(0, 60)),
  ({ socket }) => void socket.end(large.slice(0, 1_200_000)),
  ({ socket }) => void setTimeout(() => socket.destroy(), 3),
  // Never answered: the caller goes, or time runs out.
  () => {},
];

it("500 calls that end in every way there is leave no turn, no place, no byte taken, and a line each", async () => {
  const seed = 20_261_124;
  const random = numbersFrom(seed);
  const pick = <T>(list: readonly T[]): T => {
    const item = list[Math.floor(random() * list.length)];
    if (item === undefined) throw new Error("an empty list");
    return item;
  };
  presto.answer((request) => pick(scripts)(request));
  const calls: readonly (() => string)[] = [
    () => queryCall("T1"),
    initCall,
    () => confirmCall("T1"),
    () => queryCall("T1") + confirmCall("T2"),
    () => queryCall("T1") + initCall() + queryCall("T2"),
    () => postCall(walletPaths.init, "x".repeat(300_000)),
    () => postCall(walletPaths.confirm, "x".repeat(300_000)).slice(0, -1000),
    () => initCall().slice(0, -3),
    () => initCall().slice(0, 40),
    () => initCall("Expect: 100-continue"),
    () => `${queryCall("T1")}nonsense\r\n\r\n`,
    () => confirmCall("T1") + initCall().slice(0, -5),
  ];
  const pause = (): Promise<void> =>
    random() < 0.3
      ? Promise.resolve()
      : new Promise((resolve) => {
          setTimeout(resolve, random() * 12);
        });

  async function one(): Promise<void> {
    const caller = await openRawCaller(sidecar);
    caller.send(pick(calls)());
    const end = random();
    if (end < 0.35) {
      await pause();
      caller.socket.resetAndDestroy();
    } else if (end < 0.55) {
      await pause();
      caller.socket.end();
      await caller.ended();
    } else if (end < 0.8) {
      await Promise.race([caller.answers(1), pause().then(pause)]);
      caller.close();
    } else {
      await Promise.race([caller.answers(1), eventuallyGone(caller.socket)]);
      caller.close();
    }
  }

  let left = 500;
  const workers = Array.from({ length: 50 }, async () => {
    while (left > 0) {
      left -= 1;
      await one();
    }
  });
  await Promise.all(workers);

  await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  presto.answer(({ socket }) => void socket.write(whole));
  // More calls than there are turns, all at once: none of them was lost for good.
  const answers = await Promise.all(Array.from({ length: 24 }, () => exchange(sidecar, initCall())));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  // The sidecar is idle, too: no call is left that a drain would wait for.
  expect(await sidecar.app.drain()).toBe("clean");
  const lines = callLines(sidecar);
  const ids = lines.map((line) => line["request_id"]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(lines.length).toBeGreaterThan(300);
});

function eventuallyGone(socket: { once(event: "close", then: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    setTimeout(resolve, 1_000).unref();
  });
}
