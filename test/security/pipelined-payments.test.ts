import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { confirmCall, getCall } from "../support/wallet-call.ts";

// Payments that a caller sent one behind the other are under way at the same time. Each is sent once,
// and the answer of each reaches the caller, in the order in which it asked.

let presto: RawPresto;
let sidecar: RunningSidecar;
let held: WireRequest[];

beforeAll(async () => {
  presto = await startRawPresto();
});
beforeEach(async () => {
  held = [];
  presto.answer((request) => void held.push(request));
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});
afterEach(() => sidecar.close());
afterAll(() => presto.close());

const names = ["T-1", "T-2", "T-3"];

/** Sends the payments in one write, and waits until Presto has them all. */
async function sendAll(): Promise<RawCaller> {
  const caller = await openRawCaller(sidecar, { stubborn: true });
  caller.send(names.map((name) => confirmCall(name)).join(""));
  await expect.poll(() => held.length).toBe(names.length);
  return caller;
}

const byName = (): WireRequest[] => names.flatMap((name) => held.filter(({ body }) => body.includes(name)));

async function expectAllAnswered(caller: RawCaller): Promise<void> {
  const answers = await caller.answers(names.length);
  expect(answers.map(({ body }) => body)).toEqual(names.map((name) => `{"transaction_reference":"${name}"}`));
  expect(held).toHaveLength(names.length);
  caller.close();
}

/** Answers the payments, each only once the caller has the answer before it. */
async function answerInTurn(caller: RawCaller): Promise<void> {
  for (const [index, request] of byName().entries()) {
    request.socket.write(httpAnswer(200, request.body.toString()));
    await caller.answers(index + 1);
  }
}

describe("payments one behind the other", () => {
  it("are answered in their order, however Presto answers", async () => {
    const caller = await sendAll();
    for (const request of byName().toReversed())
      request.socket.write(httpAnswer(200, request.body.toString()));
    await expectAllAnswered(caller);
  });

  it("are all answered, though what follows them is no HTTP", async () => {
    const caller = await sendAll();
    caller.send("\0 no HTTP\r\n\r\n");
    await answerInTurn(caller);
    await expectAllAnswered(caller);
  });

  it("are all answered, though the sidecar drains", async () => {
    const caller = await sendAll();
    const drained = sidecar.app.drain();
    // The drain has begun once the reply to a refused call ends its connection.
    const refused = getCall("/nothing");
    await expect
      .poll(() => exchange(sidecar, refused).then(({ headers }) => headers["connection"]))
      .toBe("close");
    await answerInTurn(caller);
    await expectAllAnswered(caller);
    expect(await drained).toBe("clean");
  });

  it("are all answered, though the caller has closed its side", async () => {
    const caller = await sendAll();
    caller.socket.end();
    await answerInTurn(caller);
    await expectAllAnswered(caller);
  });

  it("are all told of, though one of them is lost", async () => {
    const caller = await sendAll();
    const [first, second, third] = byName();
    presto.answer((request) => request.socket.write(httpAnswer(200, '{"data":{"status":"pending"}}')));
    second?.socket.destroy();
    for (const request of [first, third]) request?.socket.write(httpAnswer(200, request.body.toString()));
    const answers = await caller.answers(3);
    expect(answers.map(({ headers }) => headers["presto-outcome"])).toEqual([
      "answered",
      "unknown",
      "answered",
    ]);
    caller.close();
  });
});
