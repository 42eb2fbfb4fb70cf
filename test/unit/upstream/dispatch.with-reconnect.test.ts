import { describe, expect, it } from "vitest";

import { Problem } from "../../../src/errors.ts";
import { Secret } from "../../../src/secret.ts";
import { createToken } from "../../../src/token/token.ts";
import type { Call } from "../../../src/upstream/call.ts";
import { type Send, withReconnect } from "../../../src/upstream/dispatch.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { plainCall } from "../../support/plain-call.ts";

/** How often a call is sent that fails like this each time. */
async function triesOf(problem: Problem, written = false): Promise<number> {
  const clock = createHandClock();
  const call: Call = plainCall(0);
  let tries = 0;
  const send: Send = () => {
    tries += 1;
    call.requestWritten = written;
    return Promise.reject(problem);
  };
  const end = withReconnect(send, clock)(call, createToken(new Secret("token"), 1)).catch(() => {});
  await clock.advance(1_000);
  await end;
  return tries;
}

describe("a call that had no connection", () => {
  it("is tried three times", async () => {
    expect(await triesOf(new Problem("upstream-unreachable", { detail: "refused" }))).toBe(3);
  });

  it("is not tried again where the egress proxy refused the login: more tries may lock it out", async () => {
    const proxyStatus = "proxy_configuration_error";
    expect(await triesOf(new Problem("upstream-unreachable", { detail: "407", proxyStatus }))).toBe(1);
  });

  it("is not tried again where a byte may have been written", async () => {
    expect(await triesOf(new Problem("upstream-unreachable", { detail: "odd" }), true)).toBe(1);
    expect(await triesOf(new Problem("upstream-broken", { detail: "reset" }), true)).toBe(1);
  });
});
