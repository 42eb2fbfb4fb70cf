import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { echo } from "../support/held-presto.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { createSealedToken } from "../support/sealed-token.ts";
import type { SealedToken } from "../support/sealed-token.ts";
import { callLines, eventually, loadOf } from "../support/sidecar-load.ts";
import { confirmCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sealed: SealedToken;
let sidecar: RunningSidecar | undefined;
/** The token that works. */
let live: string;

beforeEach(async () => {
  live = "token-1";
  presto = await startRawPresto();
  presto.answer(judge);
});

afterEach(async () => {
  await sidecar?.close();
  await presto.close();
  sealed.remove();
});

function judge(request: WireRequest): void {
  const good = request.header("authorization") === `Bearer ${live}`;
  request.socket.write(good ? echo(request) : httpAnswer(401, '{"message":"Unauthenticated."}'));
}

async function start(first: string | null, env: Record<string, string> = {}): Promise<RunningSidecar> {
  sealed = await createSealedToken(first);
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { ...sealed.env, ...env },
  });
  return sidecar;
}

const tokensSent = (): readonly (string | undefined)[] =>
  presto.requests.map((request) => request.header("authorization")?.replace("Bearer ", ""));

const noToken = {
  status: 503,
  code: "no-token",
  outcome: "not-sent",
  proxyStatus: "proxy_configuration_error",
  retryable: true,
  retryAfter: true,
} as const;

describe("P1: before a token was read", () => {
  it("nothing is sent; with the first one calls go", async () => {
    const side = await start(null, { PRESTO_HOLD_MAX: "100ms" });
    expectProblem(await exchange(side, confirmCall("T1")), noToken);
    expect(presto.requests).toHaveLength(0);
    await sealed.token("token-1");
    await eventually(async () => (await exchange(side, queryCall("T1"))).status).toBe(200);
  });
});

describe("P2: a changed record", () => {
  it("is taken whatever it is, and the next calls go with its token", async () => {
    const side = await start("token-1");
    expect((await exchange(side, queryCall("T1"))).status).toBe(200);
    live = "token-2";
    await sealed.token("token-2");
    await eventually(() => side.log()).toContain('"generation":2');
    expect((await exchange(side, queryCall("T2"))).status).toBe(200);
    expect(tokensSent()).toEqual(["token-1", "token-2"]);
  });
});

describe("P3 and P4: while a renewal is under way", () => {
  it("new calls wait, and go with the new token once it is stored", async () => {
    const side = await start("token-1", { PRESTO_HOLD_MAX: "15s" });
    await sealed.renewing();
    await side.app.reload();
    const callers = await Promise.all(Array.from({ length: 8 }, () => openRawCaller(side)));
    for (const caller of callers) caller.send(nextConfirmCall());
    await eventually(() => loadOf(side)).toMatchObject({ inFlight: 0, queued: 8 });
    expect(presto.requests).toHaveLength(0);
    live = "token-2";
    await sealed.token("token-2");
    for (const caller of callers) {
      expect((await caller.answers(1))[0]?.status).toBe(200);
      caller.close();
    }
    expect(new Set(tokensSent())).toEqual(new Set(["token-2"]));
  });

  it("calls go on with the token in hand as soon as it ends without a new one", async () => {
    const side = await start("token-1", { PRESTO_HOLD_MAX: "15s" });
    await sealed.renewing();
    await side.app.reload();
    const caller = await openRawCaller(side);
    caller.send(queryCall("T1"));
    await eventually(() => loadOf(side)).toMatchObject({ queued: 1 });
    await sealed.notRenewing();
    expect((await caller.answers(1))[0]?.status).toBe(200);
    caller.close();
  });

  it("after PRESTO_HOLD_MAX they go with the token in hand, which mostly still works", async () => {
    const side = await start("token-1", { PRESTO_HOLD_MAX: "3s" });
    await sealed.renewing();
    await side.app.reload();
    expect((await exchange(side, queryCall("T1"))).status).toBe(200);
    // Counted from when the intent was first seen: it is over for those that come later.
    const startedAt = performance.now();
    expect((await exchange(side, queryCall("T2"))).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });
});

describe("P5 and P6: after a 401", () => {
  it("the call is sent again once another token is stored, and its caller sees nothing", async () => {
    const side = await start("token-1");
    live = "token-2";
    const caller = await openRawCaller(side);
    caller.send(confirmCall("T1"));
    await eventually(() => loadOf(side)).toMatchObject({ inFlight: 0, queued: 1 });
    await sealed.token("token-2");
    expect((await caller.answers(1))[0]).toMatchObject({ status: 200 });
    caller.close();
    expect(tokensSent()).toEqual(["token-1", "token-2"]);
    expect(presto.requests[0]?.body).toEqual(presto.requests[1]?.body);
    await eventually(() => callLines(side)).toMatchObject([{ sends: 2, generation: 2, outcome: "answered" }]);
  });

  it("the call goes on with each token that the store shows by then, five sends at most", async () => {
    live = "none";
    let serial = 1;
    const side = await start("token-1", { PRESTO_HOLD_MAX: "9s" });
    presto.answer((request) => {
      serial += 1;
      void sealed.token(`token-${serial}`).then(() => judge(request));
    });
    const answer = await exchange(side, confirmCall("T1"));
    expect(answer).toMatchObject({ status: 401, body: '{"message":"Unauthenticated."}' });
    expect(answer.headers["presto-outcome"]).toBe("answered");
    expect(tokensSent()).toEqual(["token-1", "token-2", "token-3", "token-4", "token-5"]);
  });

  it("without another token the 401 goes to the caller after PRESTO_HOLD_MAX", async () => {
    live = "none";
    const side = await start("token-1", { PRESTO_HOLD_MAX: "300ms" });
    const startedAt = performance.now();
    expect(await exchange(side, confirmCall("T1"))).toMatchObject({ status: 401 });
    expect(performance.now() - startedAt).toBeGreaterThan(290);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(presto.requests).toHaveLength(1);
  });

  it("while a renewal is under way it waits to the deadline (P8), and then the 401 is the answer", async () => {
    live = "none";
    const side = await start("token-1", { PRESTO_HOLD_MAX: "100ms", PRESTO_TIMEOUT: "1500ms" });
    await sealed.renewing();
    await side.app.reload();
    const startedAt = performance.now();
    const answer = await exchange(side, queryCall("T1"));
    expect(answer.status).toBe(401);
    expect(answer.headers["presto-outcome"]).toBe("answered");
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
  });
});

describe("P7: nothing but a 401", () => {
  it("is a reason to send again, though another token is there by then", async () => {
    const side = await start("token-1");
    for (const status of [403, 419, 429, 500, 503]) {
      presto.answer(({ socket }) => void socket.write(httpAnswer(status)));
      await sealed.token(`token-${status}`);
      const before = presto.requests.length;
      expect((await exchange(side, nextConfirmCall())).status).toBe(status);
      // What became of it is asked: a GET of its own.
      const sent = presto.requests.slice(before).filter(({ requestLine }) => requestLine.startsWith("POST"));
      expect(sent.length).toBe(1);
    }
  });
});

describe("P8 and P9: a token that was rejected", () => {
  it("is not sent by others: they wait PRESTO_HOLD_MAX and get no-token", async () => {
    live = "none";
    const side = await start("token-1", { PRESTO_HOLD_MAX: "300ms" });
    await exchange(side, queryCall("T1"));
    const startedAt = performance.now();
    const answers = await Promise.all([1, 2, 3].map((n) => exchange(side, confirmCall(`C${n}`))));
    for (const answer of answers) expectProblem(answer, noToken);
    expect(performance.now() - startedAt).toBeGreaterThan(290);
    expect(presto.requests).toHaveLength(1);
  });

  it("while a renewal is under way they wait to the deadline, and get no-token then", async () => {
    live = "none";
    const side = await start("token-1", { PRESTO_HOLD_MAX: "100ms", PRESTO_TIMEOUT: "1200ms" });
    await exchange(side, queryCall("T1"));
    await sealed.renewing();
    await side.app.reload();
    const startedAt = performance.now();
    expectProblem(await exchange(side, confirmCall("T1")), noToken);
    expect(performance.now() - startedAt).toBeGreaterThan(1_000);
    expect(presto.requests).toHaveLength(1);
  });
});
