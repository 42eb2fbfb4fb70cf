import { describe, expect, it } from "vitest";

import { keepTokenLatch } from "../../../src/app/readiness.ts";
import { StoreError } from "../../../src/store/contract.ts";

function open() {
  const latch: string[] = [];
  const emit = keepTokenLatch({
    open: () => void latch.push("open"),
    close: (reason) => void latch.push(reason),
  });
  return { latch, emit };
}

const changed = { generation: 1, id: "id", expiresAt: null };

describe("the latch of the token", () => {
  it("says why there is none yet, as each try to have one issued ends", () => {
    const { latch, emit } = open();
    emit({
      type: "renewal-ended",
      end: { kind: "refused", credentials: true, detail: "All were refused." },
      nextTryAt: undefined,
    });
    emit({
      type: "renewal-ended",
      end: { kind: "unreachable", detail: "No answer." },
      nextTryAt: new Date(0),
    });
    emit({ type: "renewal-ended", end: { kind: "shut-down" }, nextTryAt: undefined });
    expect(latch).toEqual(["There is no token yet. All were refused.", "There is no token yet. No answer."]);
  });

  it("opens with the first token, and stays open whatever fails after that", () => {
    const { latch, emit } = open();
    emit({ type: "token-changed", ...changed });
    emit({ type: "renewal-ended", end: { kind: "stopped", detail: "Two owners." }, nextTryAt: undefined });
    emit({ type: "store-failed", error: new StoreError("unreadable", "The store is away.") });
    expect(latch).toEqual(["open"]);
  });
});
