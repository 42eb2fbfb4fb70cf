import type { Dispatcher } from "undici";
import { describe, expect, it } from "vitest";

import { ConnectError } from "../../../src/connect/errors.ts";
import { Secret } from "../../../src/secret.ts";
import { createToken } from "../../../src/token/token.ts";
import type { Call, Response } from "../../../src/upstream/call.ts";
import { createSend, type SendDeps } from "../../../src/upstream/dispatch.ts";
import { createEgressBench, strange } from "../../support/egress-bench.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { plainCall } from "../../support/plain-call.ts";

const token = createToken(new Secret("t"), 1);
const refuse = (reason: string): Error => new Error(`kept back: ${reason}`);

type Script = (handler: Required<Dispatcher.DispatchHandler>) => void;

const controller: Dispatcher.DispatchController = {
  aborted: false,
  paused: false,
  reason: null,
  rawHeaders: [],
  abort() {},
  pause() {},
  resume() {},
};

/** A step that sends over connections which do what a test says; tells how often one was asked for. */
function sendOver(script: Script, deps: Omit<SendDeps, "connections">) {
  let asked = 0;
  const send = createSend({
    ...deps,
    connections: {
      dispatch(_request, handler) {
        asked += 1;
        script(handler as Required<Dispatcher.DispatchHandler>);
        return true;
      },
    },
  });
  return {
    asked: () => asked,
    send: (call: Call): Promise<Response> =>
      new Promise((answered, failed) => {
        send(call, token, { answered, failed });
      }),
  };
}

const answers =
  (status: number): Script =>
  (handler) => {
    handler.onRequestStart(controller, {});
    handler.onResponseStart(controller, status, {}, "");
    handler.onResponseData(controller, Buffer.from("<html>"));
    handler.onResponseEnd(controller, {});
  };

async function watched(says: string[], script: Script) {
  const bench = createEgressBench({ says });
  bench.door = "forbidden";
  await bench.check.start();
  return { bench, ...sendOver(script, { clock: bench.clock, egress: { gate: bench.check, refuse } }) };
}

describe("a call that would leave from an address that is not registered", () => {
  it("is not sent, and what was written of it before does not count", async () => {
    const { send, bench, asked } = await watched([strange, strange], answers(200));
    const call = plainCall(bench.clock.monotonic());
    call.requestWritten = true;
    await expect(send(call)).rejects.toThrow(`kept back: This process would leave from ${strange}`);
    expect([asked(), call.requestWritten]).toEqual([0, false]);
  });
});

describe("a call that may leave", () => {
  it("is answered as before, and what it met is noticed", async () => {
    const { send, bench } = await watched(["203.0.113.7"], answers(403));
    for (let times = 0; times < 3; times += 1)
      expect((await send(plainCall(bench.clock.monotonic()))).status).toBe(403);
    expect(bench.check.report().evidence.join(" ")).toContain("3 of the last 3 exchanges");
    expect(bench.check.report().verdict).toBe("not-registered");
  });

  it("fails as before, and what it met is noticed", async () => {
    const failure = new Error("x");
    const { send, bench } = await watched(["203.0.113.7"], (handler) => {
      handler.onRequestStart(controller, {});
      handler.onResponseError(controller, failure);
    });
    await expect(send(plainCall(bench.clock.monotonic()))).rejects.toMatchObject({
      code: "upstream-broken",
      cause: failure,
    });
    expect(bench.check.report().evidence.join(" ")).toContain("an error of the server");
  });
});

/** How often a connection is asked for by a call that fails like this each time. */
async function triesOf(failure: Error, written = false): Promise<number> {
  const clock = createHandClock();
  const { send, asked } = sendOver(
    (handler) => {
      if (written) handler.onRequestStart(controller, {});
      handler.onResponseError(controller, failure);
    },
    { clock },
  );
  const end = send(plainCall(0)).catch(() => {});
  await clock.advance(1_000);
  await end;
  return asked();
}

describe("a call that had no connection", () => {
  it("is tried three times", async () => {
    expect(await triesOf(new ConnectError("unreachable", "refused", "connection_refused"))).toBe(3);
  });

  it("is not tried again where the egress proxy refused the login: more tries may lock it out", async () => {
    expect(await triesOf(new ConnectError("unreachable", "407", "proxy_configuration_error"))).toBe(1);
  });

  it("is not tried again where a byte may have been written", async () => {
    expect(await triesOf(new Error("odd"), true)).toBe(1);
    expect(await triesOf(Object.assign(new Error("reset"), { code: "UPSTREAM_RESET" }), true)).toBe(1);
  });
});

describe("a call that gets its connection late", () => {
  const timeoutMs = 20_000;

  /** Its end, where the connection is there so many milliseconds after it came. */
  async function endAfter(ms: number, call: Partial<Call> = {}): Promise<Response> {
    const clock = createHandClock();
    const arrivedAt = clock.monotonic();
    await clock.advance(ms);
    const { send } = sendOver(
      (handler) => {
        let refusal: Error | undefined;
        handler.onRequestStart({ ...controller, abort: (reason) => void (refusal = reason) }, {});
        if (refusal !== undefined) return handler.onResponseError(controller, refusal);
        handler.onResponseStart(controller, 200, {}, "");
        handler.onResponseEnd(controller, {});
      },
      { clock },
    );
    return send({ ...plainCall(arrivedAt, timeoutMs), ...call });
  }

  it.each([
    [timeoutMs - 1_000, timeoutMs],
    [1_900, 2_000],
    [99_000, 100_000],
  ])("is sent after %i ms of %i: a twentieth of its time is left, or a second", async (ms, deadlineAt) => {
    await expect(endAfter(ms, { deadlineAt })).resolves.toMatchObject({ status: 200 });
  });

  it.each([
    [timeoutMs - 999, timeoutMs],
    [1_901, 2_000],
    [99_001, 100_000],
  ])("is not sent after %i ms of %i: it would end unknown", async (ms, deadlineAt) => {
    await expect(endAfter(ms, { deadlineAt })).rejects.toMatchObject({
      code: "upstream-timeout",
      outcome: "not-sent",
      message: "hardly any time was left for an answer; nothing was sent",
    });
  });
});

describe("a call whose time is nearly over when its wait is", () => {
  it.each([
    ["turn", "overloaded"],
    ["token", "no-token"],
    [undefined, "upstream-timeout"],
  ] as const)("for its %s: ends as %s, and no connection is asked for", async (waitedFor, code) => {
    const clock = createHandClock();
    const call = { ...plainCall(clock.monotonic()), waitedFor };
    await clock.advance(19_999);
    const { send, asked } = sendOver(answers(200), { clock });
    await expect(send(call)).rejects.toMatchObject({ code, outcome: "not-sent" });
    expect(asked()).toBe(0);
  });
});
