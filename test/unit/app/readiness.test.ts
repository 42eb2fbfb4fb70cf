import { describe, expect, it } from "vitest";

import { keepCredentialsLatch, keepRefusedTokenLatch, keepTokenLatch } from "../../../src/app/readiness.ts";
import { StoreError } from "../../../src/store/contract.ts";

function open(keep = keepTokenLatch) {
  const latch: string[] = [];
  const emit = keep({
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

describe("the latch of a refused token", () => {
  const rejected = { type: "token-rejected", generation: 1, id: "id" } as const;

  it("is closed while Presto's last word on the token in hand is 401", () => {
    const { latch, emit } = open(keepRefusedTokenLatch);
    emit({ type: "token-changed", ...changed });
    emit(rejected);
    emit({ ...rejected, type: "token-accepted" });
    expect(latch).toEqual(["open", expect.stringMatching(/^Presto answered 401/), "open"]);
  });

  it("follows the token in hand, and no other", () => {
    const { latch, emit } = open(keepRefusedTokenLatch);
    emit({ type: "token-changed", ...changed });
    emit({ ...rejected, id: "another" });
    expect(latch).toEqual(["open", "open"]);
    emit(rejected);
    emit({ type: "token-changed", ...changed, id: "new" });
    expect(latch.at(-1)).toBe("open");
    emit({ type: "token-changed", ...changed });
    expect(latch.at(-1)).toMatch(/^Presto answered 401/);
  });
});

describe("the latch of refused credentials", () => {
  const ended = { type: "renewal-ended", nextTryAt: undefined } as const;

  it("is closed by a refusal of them alone, and opened by a renewal", () => {
    const { latch, emit } = open(keepCredentialsLatch);
    emit({ ...ended, end: { kind: "refused", credentials: false, detail: "Too many requests." } });
    emit({ ...ended, end: { kind: "unreachable", detail: "No answer." } });
    expect(latch).toEqual([]);
    emit({ ...ended, end: { kind: "refused", credentials: true, detail: "All were refused." } });
    emit({ ...ended, end: { kind: "unreachable", detail: "No answer." } });
    emit({ ...ended, end: { kind: "renewed", generation: 2, tokenId: "id", expiresAt: null } });
    expect(latch).toEqual(["All were refused.", "open"]);
  });
});
