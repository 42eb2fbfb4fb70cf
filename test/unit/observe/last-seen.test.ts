import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createLastSeen } from "../../../src/observe/last-seen.ts";

const day = 24 * 60 * 60 * 1000;

describe("what was seen last", () => {
  it("is unknown at first", () => {
    const seen = createLastSeen(systemClock);
    expect([seen.token(), seen.tokenSecondsLeft(), seen.certificateDaysLeft()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is the token and certificate told last, with the time left by the clock of now", () => {
    let now = 10 * day;
    const seen = createLastSeen({ ...systemClock, now: () => now });
    seen.note({ type: "token-changed", generation: 1, id: "a", expiresAt: new Date(11 * day) });
    seen.note({ type: "token-changed", generation: 2, id: "b", expiresAt: new Date(12 * day) });
    seen.note({ type: "peer-certificate", validTo: new Date(11 * day) });
    expect(seen.token()).toEqual({
      generation: 2,
      id: "b",
      expiresAt: new Date(12 * day),
      since: new Date(10 * day),
    });
    expect([seen.tokenSecondsLeft(), seen.certificateDaysLeft()]).toEqual([2 * 86_400, 1]);
    now = 13 * day;
    expect([seen.tokenSecondsLeft(), seen.certificateDaysLeft()]).toEqual([-86_400, -2]);
  });

  it("says unknown, not zero, for a token without a date and a date that is none", () => {
    const seen = createLastSeen(systemClock);
    seen.note({ type: "token-changed", generation: 1, id: "a", expiresAt: null });
    seen.note({ type: "peer-certificate", validTo: new Date("not a date") });
    expect([seen.tokenSecondsLeft(), seen.certificateDaysLeft()]).toEqual([undefined, undefined]);
  });

  it("is refused while the last word on the token in hand is a 401", () => {
    const seen = createLastSeen(systemClock);
    const states = [seen.tokenState()];
    seen.note({ type: "token-changed", generation: 1, id: "a", expiresAt: null });
    seen.note({ type: "token-rejected", generation: 0, id: "old" });
    states.push(seen.tokenState());
    seen.note({ type: "token-rejected", generation: 1, id: "a" });
    states.push(seen.tokenState());
    seen.note({ type: "token-accepted", generation: 1, id: "a" });
    states.push(seen.tokenState());
    seen.note({ type: "token-rejected", generation: 1, id: "a" });
    seen.note({ type: "token-changed", generation: 2, id: "b", expiresAt: null });
    states.push(seen.tokenState());
    expect(states).toEqual(["none", "in use", "refused", "in use", "in use"]);
  });
});
