import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createJumpingClock } from "../support/jumping-clock.ts";
import type { JumpingClock } from "../support/jumping-clock.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { rawRequest, statusOf } from "../support/raw-exchange.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { confirmCall, queryCall } from "../support/wallet-call.ts";

// A token given by value can't change, so there is nothing to wait for.
let presto: RawPresto;
let sidecar: RunningSidecar;
let clock: JumpingClock;

beforeEach(async () => {
  clock = createJumpingClock();
  presto = await startRawPresto();
  presto.answer(({ socket }) => void socket.write(httpAnswer(401, '{"message":"Unauthenticated."}')));
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    clock,
    // Whoever is held is held for longer than a busy machine takes to answer at once.
    env: { PRESTO_TIMEOUT: "60s", PRESTO_HOLD_MAX: "30s" },
  });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

const noToken = {
  status: 503,
  code: "no-token",
  outcome: "not-sent",
  proxyStatus: "proxy_configuration_error",
  retryable: true,
  retryAfter: true,
} as const;

describe("after a 401 to a token given by value", () => {
  it("the 401 goes to the caller at once, as Presto gave it", async () => {
    const startedAt = performance.now();
    const answer = await exchange(sidecar, confirmCall("T1"));
    expect(answer).toMatchObject({ status: 401, body: '{"message":"Unauthenticated."}' });
    expect(answer.headers).toMatchObject({ "presto-outcome": "answered" });
    expect(answer.headers["proxy-status"]).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect(presto.requests).toHaveLength(1);
  });

  it("is a line of the verbose readiness that closes nothing, until Presto accepts it again", async () => {
    const readyz = (): Promise<string> =>
      rawRequest(sidecar.adminPort, "GET /readyz?verbose HTTP/1.1", "Host: localhost");
    expect(await readyz()).not.toContain("token-refused");
    await exchange(sidecar, queryCall("T1"));
    const refused = await readyz();
    expect(statusOf(refused)).toBe(200);
    expect(refused).toMatch(/^\[!\]token-refused: Presto answered 401 to the token in hand\./m);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    clock.jump(5_000);
    expect((await exchange(sidecar, queryCall("T2"))).status).toBe(200);
    expect(await readyz()).toMatch(/^\[\+\]token-refused ok$/m);
  });

  it("also if a gateway gave it as HTML", async () => {
    presto.answer(
      ({ socket }) => void socket.write(httpAnswer(401, "<h1>401</h1>", ["Content-Type: text/html"])),
    );
    expect(await exchange(sidecar, queryCall("T1"))).toMatchObject({ status: 401, body: "<h1>401</h1>" });
    expectProblem(await exchange(sidecar, queryCall("T1")), noToken);
  });

  it("further calls get 503 no-token at once, confirms too, and nothing is sent", async () => {
    await exchange(sidecar, queryCall("T1"));
    const startedAt = performance.now();
    for (const call of [queryCall("T1"), confirmCall("T1"), queryCall("T2")])
      expectProblem(await exchange(sidecar, call), noToken);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect(presto.requests).toHaveLength(1);
  });

  it("one call tries it again after 5 s, and only one, and again after 5 s more", async () => {
    await exchange(sidecar, queryCall("T1"));
    clock.jump(4_900 - 4_000);
    expectProblem(await exchange(sidecar, queryCall("T2")), noToken);
    clock.jump(4_100);
    expect((await exchange(sidecar, queryCall("T3"))).status).toBe(401);
    expectProblem(await exchange(sidecar, queryCall("T4")), noToken);
    clock.jump(5_000);
    expect((await exchange(sidecar, queryCall("T5"))).status).toBe(401);
    expect(presto.requests.map(targetOf)).toEqual(["T1", "T3", "T5"]);
  });

  it("while the one try is under way, the others get 503 no-token and wait for nothing", async () => {
    await exchange(sidecar, queryCall("T1"));
    clock.jump(5_000);
    const waiting: WireRequest[] = [];
    presto.answer((request) => void waiting.push(request));
    const trier = await openRawCaller(sidecar);
    trier.send(queryCall("T2"));
    await eventually(() => waiting.length).toBe(1);
    for (const answer of await Promise.all([3, 4, 5].map((n) => exchange(sidecar, queryCall(`T${n}`)))))
      expectProblem(answer, noToken);
    waiting[0]?.socket.write(httpAnswer(401));
    expect((await trier.answers(1))[0]?.status).toBe(401);
    trier.close();
    expect(presto.requests).toHaveLength(2);
  });

  it("a try that Presto answers ends it for all", async () => {
    await exchange(sidecar, queryCall("T1"));
    clock.jump(5_000);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    expect((await exchange(sidecar, queryCall("T2"))).status).toBe(200);
    expect((await exchange(sidecar, queryCall("T3"))).status).toBe(200);
  });

  it.each([
    ["HTML", httpAnswer(200, "<h1>Hello</h1>", ["Content-Type: text/html"])],
    ["a 404", httpAnswer(404)],
    ["a 500", httpAnswer(500)],
  ])("a try answered with %s proves nothing: the others go on waiting their turn", async (_name, bytes) => {
    await exchange(sidecar, queryCall("T1"));
    clock.jump(5_000);
    presto.answer(({ socket }) => void socket.write(bytes));
    await exchange(sidecar, queryCall("T2"));
    expectProblem(await exchange(sidecar, queryCall("T3")), noToken);
    clock.jump(5_000);
    expect((await exchange(sidecar, queryCall("T4"))).headers["presto-outcome"]).toBe("answered");
  });

  it("a try whose caller goes away gives its place back", async () => {
    await exchange(sidecar, queryCall("T1"));
    clock.jump(5_000);
    const waiting: WireRequest[] = [];
    presto.answer((request) => void waiting.push(request));
    const trier = await openRawCaller(sidecar);
    trier.send(queryCall("T2"));
    await eventually(() => waiting.length).toBe(1);
    trier.socket.resetAndDestroy();
    await eventually(() => sidecar.lines().filter((line) => line["msg"] === "call").length).toBe(2);
    clock.jump(5_000);
    presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
    expect((await exchange(sidecar, queryCall("T3"))).status).toBe(200);
  });
});

function targetOf(request: WireRequest): string | undefined {
  return request.requestLine.split(" ")[1]?.split("/").at(-1);
}
