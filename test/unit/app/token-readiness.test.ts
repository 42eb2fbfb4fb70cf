import { describe, expect, it } from "vitest";

import { withTokenLatch } from "../../../src/app/token-readiness.ts";
import { noSignals } from "../../../src/observe/events.ts";
import { StoreError } from "../../../src/store/contract.ts";

function open() {
  const latch: string[] = [];
  const signals = withTokenLatch(noSignals, {
    open: () => void latch.push("open"),
    close: (reason) => void latch.push(reason),
  });
  return { latch, signals };
}

const changed = { generation: 1, id: "id", expiresAt: null };

describe("the latch of the token", () => {
  it("says why there is none yet, as each try to have one issued ends", () => {
    const { latch, signals } = open();
    signals.renewalEnded({ kind: "refused", credentials: true, detail: "All were refused." }, undefined);
    signals.renewalEnded({ kind: "unreachable", detail: "No answer." }, new Date(0));
    signals.renewalEnded({ kind: "shut-down" }, undefined);
    expect(latch).toEqual(["There is no token yet. All were refused.", "There is no token yet. No answer."]);
  });

  it("opens with the first token, and stays open whatever fails after that", () => {
    const { latch, signals } = open();
    signals.tokenChanged(changed);
    signals.renewalEnded({ kind: "stopped", detail: "Two owners." }, undefined);
    signals.storeFailed(new StoreError("unreadable", "The store is away."));
    expect(latch).toEqual(["open"]);
  });
});
