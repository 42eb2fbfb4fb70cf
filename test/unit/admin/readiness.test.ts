import { describe, expect, it } from "vitest";

import { createReadiness, isReady, type ReadinessOptions } from "../../../src/admin/readiness.ts";

function newReadiness(alarm?: ReadinessOptions["alarm"]) {
  const told: [name: string, reason: string | undefined][] = [];
  const readiness = createReadiness({
    emit: ({ name, reason }) => told.push([name, reason]),
    ...(alarm === undefined ? {} : { alarm }),
  });
  const closedNames = (): readonly string[] => {
    const closed = readiness.all().filter((latch) => latch.closed && !latch.advisory);
    expect(isReady(readiness.all())).toBe(closed.length === 0);
    return closed.map(({ name }) => name);
  };
  return { readiness, told, closedNames };
}

describe("readiness", () => {
  it("begins closed: not started, and without a token", () => {
    const { closedNames, told } = newReadiness();
    expect(closedNames()).toEqual(["started", "token"]);
    expect(told.map(([name, reason]) => [name, reason === undefined])).toEqual([
      ["started", false],
      ["token", false],
      ["draining", true],
    ]);
  });

  it("is there when no latch is closed, and goes when one closes, with its reason", () => {
    const { readiness, closedNames } = newReadiness();
    readiness.open("started");
    expect(closedNames()).toEqual(["token"]);
    readiness.open("token");
    expect(closedNames()).toEqual([]);
    readiness.close("draining", "The sidecar is shutting down.");
    expect(readiness.all()).toEqual([
      { name: "started", advisory: false, closed: false },
      { name: "token", advisory: false, closed: false },
      { name: "draining", advisory: false, closed: true, reason: "The sidecar is shutting down." },
    ]);
  });

  it("tells each change once, and another reason as a change", () => {
    const { readiness, told } = newReadiness();
    told.length = 0;
    readiness.close("token", "The file is empty.");
    readiness.close("token", "The file is empty.");
    readiness.close("token", "The file is not there.");
    readiness.open("token");
    readiness.open("token");
    expect(told).toEqual([
      ["token", "The file is empty."],
      ["token", "The file is not there."],
      ["token", undefined],
    ]);
  });

  it("goes with the alarm where that is decisive", () => {
    const { readiness, told, closedNames } = newReadiness("decisive");
    expect(told.at(-1)).toEqual(["alarm", undefined]);
    readiness.open("started");
    readiness.open("token");
    expect(closedNames()).toEqual([]);
    readiness.close("alarm", "Two issue.");
    expect(closedNames()).toEqual(["alarm"]);
    expect(told.at(-1)).toEqual(["alarm", "Two issue."]);
    readiness.open("alarm");
    expect(closedNames()).toEqual([]);
  });

  it("stays whatever the alarm says where that is advisory, and lists it", () => {
    const { readiness, told, closedNames } = newReadiness("advisory");
    expect(readiness.all().at(-1)).toEqual({ name: "alarm", advisory: true, closed: false });
    readiness.open("started");
    readiness.open("token");
    readiness.close("alarm", "Two issue.");
    expect(closedNames()).toEqual([]);
    expect(readiness.all().at(-1)).toEqual({
      name: "alarm",
      advisory: true,
      closed: true,
      reason: "Two issue.",
    });
    readiness.open("alarm");
    expect(readiness.all().at(-1)).toEqual({ name: "alarm", advisory: true, closed: false });
    // What counts latches takes each closed one for a sidecar that is not ready.
    expect(told.map(([name]) => name)).not.toContain("alarm");
  });

  it("lists the alarm once there was one in a role that issues nothing, and stays", () => {
    const { readiness, told, closedNames } = newReadiness();
    readiness.open("started");
    readiness.open("token");
    readiness.open("alarm");
    expect(readiness.all().map(({ name }) => name)).not.toContain("alarm");
    readiness.close("alarm", "Two issue.");
    expect(closedNames()).toEqual([]);
    const alarm = { name: "alarm", advisory: true };
    expect(readiness.all().at(-1)).toEqual({ ...alarm, closed: true, reason: "Two issue." });
    readiness.open("alarm");
    expect(readiness.all().at(-1)).toEqual({ ...alarm, closed: false });
    expect(told.map(([name]) => name)).not.toContain("alarm");
  });
});
