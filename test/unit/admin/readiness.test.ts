import { describe, expect, it } from "vitest";

import { createReadiness } from "../../../src/admin/readiness.ts";

function newReadiness() {
  const told: [name: string, reason: string | undefined][] = [];
  const readiness = createReadiness({ signals: { latchChanged: (...change) => told.push(change) } });
  return { readiness, told, closedNames: () => readiness.closed().map(({ name }) => name) };
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
    expect(readiness.closed()).toEqual([
      { name: "draining", closed: true, reason: "The sidecar is shutting down." },
    ]);
    expect(readiness.all()).toEqual([
      { name: "started", closed: false },
      { name: "token", closed: false },
      { name: "draining", closed: true, reason: "The sidecar is shutting down." },
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
});
