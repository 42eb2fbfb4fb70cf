import { describe, expect, it } from "vitest";

import { ConnectError } from "../../../src/connect/errors.ts";
import { createEvents, type Event } from "../../../src/observe/events.ts";
import { finishedCall } from "../../support/finished-call.ts";

const error = new Error("x");

/** One of each folder's. */
const events: readonly Event[] = [
  finishedCall(),
  { type: "token-changed", generation: 1, id: "a", expiresAt: null },
  { type: "connect-failed", error: new ConnectError("unreachable", "x", "connection_terminated") },
  { type: "renewal-ended", end: { kind: "shut-down" }, nextTryAt: new Date(0) },
  { type: "egress-latch-changed", reason: "why" },
  { type: "latch-changed", name: "token", reason: "none", ready: false },
  { type: "warning", message: "odd", cause: error },
];

function fail(): never {
  throw new Error("the counter broke");
}

function isOfBroken(event: Event): boolean {
  return event.type === "warning" && event.message.startsWith("A part that");
}

describe("events", () => {
  it("are told to every subscriber, unchanged and in order", () => {
    const told: [who: string, event: Event][] = [];
    const emit = createEvents(
      (event) => told.push(["first", event]),
      (event) => told.push(["second", event]),
    );
    for (const event of events) emit(event);
    const expected = events.flatMap((event) => [
      ["first", event],
      ["second", event],
    ]);
    expect(told).toEqual(expected);
    expect(told.every(([, event], index) => event === expected[index]?.[1])).toBe(true);
  });

  it("hurt neither the one who emits nor the other subscribers when one throws", () => {
    const told: Event[] = [];
    const emit = createEvents(
      () => fail(),
      (event) => told.push(event),
    );
    for (const event of events) emit(event);
    expect(told.filter((event) => !isOfBroken(event))).toEqual(events);
  });

  it("warn the others once, not with every call, that one throws", () => {
    const told: Event[] = [];
    const emit = createEvents((event) => told.push(event), fail);
    emit(finishedCall());
    emit(finishedCall());
    const warnings = told.filter(isOfBroken);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ cause: { message: "the counter broke" } });
  });

  it("end even when all subscribers throw", () => {
    const emit = createEvents(
      () => fail(),
      () => fail(),
    );
    expect(() => {
      for (const event of events) emit(event);
    }).not.toThrow();
  });
});
