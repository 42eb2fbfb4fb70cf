import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { createToken } from "../../../src/token/token.ts";
import { type Send, withEgressGate } from "../../../src/upstream/dispatch.ts";
import { createEgressBench, strange } from "../../support/egress-bench.ts";
import { plainCall } from "../../support/plain-call.ts";

const token = createToken(new Secret("t"), 1);
const refuse = (reason: string): Error => new Error(`kept back: ${reason}`);

async function watched(says: string[], send: Send) {
  const bench = createEgressBench({ says });
  bench.door = "forbidden";
  await bench.check.start();
  return { bench, send: withEgressGate(send, { gate: bench.check, refuse }) };
}

describe("a call that would leave from a strange address", () => {
  it("is not sent, and what was written of it before does not count", async () => {
    let sent = 0;
    const { send, bench } = await watched([strange, strange], () => {
      sent += 1;
      return Promise.reject(new Error("must not be sent"));
    });
    const call = plainCall(bench.clock.monotonic());
    call.requestWritten = true;
    await expect(send(call, token)).rejects.toThrow(`kept back: This process would leave from ${strange}`);
    expect([sent, call.requestWritten]).toEqual([0, false]);
  });
});

describe("a call that may leave", () => {
  it("is answered as before, and what it met is noticed", async () => {
    const answer = { status: 403, headers: [], body: Buffer.from("<html>") };
    const { send, bench } = await watched(["203.0.113.7"], () => Promise.resolve(answer));
    for (let times = 0; times < 3; times += 1)
      expect(await send(plainCall(bench.clock.monotonic()), token)).toBe(answer);
    expect(bench.check.report().evidence.join(" ")).toContain("3 of the last 3 exchanges");
    expect(bench.check.report().verdict).toBe("not-registered");
  });

  it("fails as before, and what it met is noticed", async () => {
    const failure = new Error("x");
    const { send, bench } = await watched(["203.0.113.7"], () => Promise.reject(failure));
    await expect(send(plainCall(bench.clock.monotonic()), token)).rejects.toBe(failure);
    expect(bench.check.report().verdict).toBe("registered");
  });
});
