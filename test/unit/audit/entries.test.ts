import { describe, expect, it } from "vitest";

import { OpenCalls } from "../../../src/audit/entries.ts";
import type { Entry } from "../../../src/audit/line.ts";
import { keyOf } from "../../../src/upstream/references.ts";

const at = "2026-01-01T00:00:00.000Z";

function begun(call: string, requestId: string, ...references: readonly string[]): Entry {
  return { type: "call-begun", call, request_id: requestId, operation: "wallet.confirm", references };
}

function settled(requestId: string, reference: string | null): Entry {
  return {
    type: "outcome-settled",
    operation: "wallet.confirm",
    request_id: requestId,
    reference,
    status: "completed",
  };
}

function openAfter(...entries: readonly Entry[]): readonly string[] {
  const open = new OpenCalls();
  for (const entry of entries) open.apply(entry, at);
  return open.all().map(({ call }) => call);
}

describe("calls that are open by the record", () => {
  it("are settled one by one, also where several have one request id", () => {
    // An app that passes on the id of the request that it serves itself gives it to all its confirms.
    const two = [begun("a", "same", "TRX1"), begun("b", "same", "TRX2")];
    expect(openAfter(...two, settled("same", "TRX1"))).toEqual(["b"]);
    expect(openAfter(...two, settled("same", "TRX2"))).toEqual(["a"]);
    expect(openAfter(...two, settled("same", "TRX1"), settled("same", "TRX2"))).toEqual([]);
    expect(openAfter(...two, settled("another", "TRX1"))).toEqual(["a", "b"]);
  });

  it("are not settled by the end of one that named no transaction, nor the other way round", () => {
    const two = [begun("a", "same", "TRX1"), begun("b", "same")];
    expect(openAfter(...two, settled("same", null))).toEqual(["a"]);
    expect(openAfter(...two, settled("same", "TRX1"))).toEqual(["b"]);
  });

  it("stay open while one of their references has no end", () => {
    const one = begun("a", "same", "TRX1", "TRX2");
    expect(openAfter(one, settled("same", "TRX1"))).toEqual(["a"]);
    expect(openAfter(one, settled("same", "TRX1"), settled("same", "TRX2"))).toEqual([]);
  });

  it("are found by the key where the reference is longer than any path takes", () => {
    for (const reference of ["ä".repeat(200), "x".repeat(2_000)])
      expect(openAfter(begun("a", "same", reference), settled("same", keyOf(reference)))).toEqual([]);
    // Of this one no more was taken down.
    expect(openAfter(begun("a", "same", "x".repeat(4_096)), settled("same", "sha256:0"))).toEqual([]);
  });
});
