import { describe, expect, it } from "vitest";

import { createRefusals } from "../../../../src/store/kubernetes/refusal.ts";
import { createHandClock } from "../../../support/hand-clock.ts";

const asked = {
  verb: "get",
  resource: "secrets",
  namespace: "payments",
  name: "token",
  where: "The record",
} as const;

function refusal(status: number, message: string) {
  const body = Buffer.from(JSON.stringify({ kind: "Status", status: "Failure", code: status, message }));
  return { status, body };
}

const forbidden = refusal(403, 'User "jane" cannot get resource "secrets"');
const passing =
  /could not be read \(within a minute of the API server's start, or of a grant, this passes by itself\): /;

describe("a refusal that may pass by itself", () => {
  it.each([
    [401, refusal(401, "Unauthorized"), /does not accept the credentials of this process \(401\)/],
    [403, forbidden, /jane lacks the right to get it\. Grant it: kubectl create role .* --user=jane$/],
    [403, refusal(403, "x"), /forbids it \(403\)/],
    [500, refusal(500, "x"), /the API server failed \(500\)/],
    [503, refusal(503, "x"), /the API server failed \(503\)/],
  ])(
    "%i: is told so for a minute, by its cause from the first moment on, and then by that alone",
    async (_status, response, cause) => {
      const clock = createHandClock();
      const refusals = createRefusals(clock);
      for (const ms of [0, 30_000, 29_999]) {
        await clock.advance(ms);
        const { message } = refusals.of(response, asked);
        expect(message).toMatch(passing);
        expect(message).toMatch(cause);
      }
      await clock.advance(1);
      const { message } = refusals.of(response, asked);
      expect(message).toMatch(/^The record could not be read: /);
      expect(message).toMatch(cause);
    },
  );

  it.each([
    [422, "data: field is immutable when `immutable` is set"],
    [403, 'admission webhook "w.example" denied the request'],
    [403, "exceeded quota: small, requested"],
    [403, 'User "system:anonymous" cannot get resource "secrets"'],
    [500, 'failed calling webhook "w.example"'],
    [500, "unable to transform key"],
  ])("%i %s is none: its cause is known", (status, message) => {
    expect(createRefusals(createHandClock()).of(refusal(status, message), asked).message).not.toMatch(
      passing,
    );
  });

  it.each([
    [
      "the same was let through meanwhile",
      (refusals: ReturnType<typeof createRefusals>) => refusals.letThrough("get"),
    ],
    [
      "the API server was away meanwhile",
      (refusals: ReturnType<typeof createRefusals>) => refusals.startAnew(),
    ],
  ])("is one again where %s", async (_what, between) => {
    const clock = createHandClock();
    const refusals = createRefusals(clock);
    refusals.of(forbidden, asked);
    await clock.advance(60_000);
    expect(refusals.of(forbidden, asked).message).not.toMatch(passing);
    between(refusals);
    expect(refusals.of(forbidden, asked).message).toMatch(passing);
  });

  it("is counted for each verb: a right to read says nothing of one to write", async () => {
    const clock = createHandClock();
    const refusals = createRefusals(clock);
    const update = { ...asked, verb: "update" } as const;
    refusals.of(forbidden, update);
    await clock.advance(60_000);
    refusals.letThrough("get");
    expect(refusals.of(forbidden, update).message).toMatch(/^The record could not be written: /);
  });
});
