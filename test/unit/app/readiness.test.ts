import { describe, expect, it } from "vitest";

import { healthAnswer } from "../../../src/admin/admin.ts";
import { isReady } from "../../../src/admin/readiness.ts";
import {
  composeReadiness,
  createAlarmFollower,
  keepClockLatch,
  keepCredentialsLatch,
  keepElsewhereLatch,
  keepNamesLatch,
  keepRefusedTokenLatch,
  keepTokenLatch,
} from "../../../src/app/readiness.ts";
import type { Event } from "../../../src/observe/events.ts";
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

describe.each([
  ["a record that is another object's", keepElsewhereLatch, "elsewhere-changed"],
  ["a clock that makes each new token due at once", keepClockLatch, "clock-alarm-changed"],
] as const)("the latch of %s", (_of, keep, type) => {
  it("is closed as long as that lasts, and moved by nothing else", () => {
    const { latch, emit } = open(keep);
    emit({ type: "token-changed", ...changed });
    emit({ type: "renewal-ended", end: { kind: "elsewhere", detail: "No." }, nextTryAt: undefined });
    expect(latch).toEqual([]);
    emit({ type, reason: "Because." });
    emit({ type, reason: undefined });
    expect(latch).toEqual(["Because.", "open"]);
  });
});

describe("the latch of names that are served from memory", () => {
  it("is closed while any of them is, and says which", () => {
    const { latch, emit } = open(keepNamesLatch);
    const served = (host: string, serving: boolean) => emit({ type: "last-good-addresses", host, serving });
    served("a.example", true);
    served("b.example", true);
    served("a.example", false);
    served("b.example", false);
    expect(latch.map((each) => (each === "open" ? each : (/for (.*);/.exec(each)?.[1] ?? "")))).toEqual([
      "a.example",
      "a.example, b.example",
      "b.example",
      "open",
    ]);
  });
});

describe("the latch of the alarm", () => {
  it("follows the record, whoever latched or cleared it, and tells once", () => {
    const latch: string[] = [];
    const told: Event[] = [];
    const follow = createAlarmFollower((event) => told.push(event), {
      open: () => void latch.push("open"),
      close: (reason) => void latch.push(reason),
    });
    const stopped = { reason: "Two issue.", at: new Date(0) };
    follow(null);
    follow(stopped);
    follow(stopped);
    follow(null);
    expect(latch).toEqual(["Two issue.", "open"]);
    expect(told).toEqual([
      { type: "alarm-changed", alarm: stopped },
      { type: "alarm-changed", alarm: undefined },
    ]);
  });
});

describe("what a role's readiness rests on", () => {
  it.each([
    ["proxy", true],
    ["all", true],
    ["rotator", false],
  ] as const)("role %s is ready while the alarm is latched: %s", (role, ready) => {
    const readiness = composeReadiness(role, false, () => {});
    readiness.open("started");
    readiness.open("token");
    expect(isReady(readiness.all())).toBe(true);
    readiness.close("alarm", "Two issue.");
    expect(isReady(readiness.all())).toBe(ready);
  });

  it.each([
    ["proxy", 200, "[!]alarm: Why."],
    ["all", 200, "[!]alarm: Why."],
    ["rotator", 503, "[-]alarm: Why."],
  ] as const)("role %s shows all that it warns of", (role, status, alarm) => {
    const readiness = composeReadiness(role, true, () => {});
    for (const name of ["started", "token"] as const) readiness.open(name);
    const warnings = [
      "token-refused",
      "credentials-refused",
      "last-good-addresses",
      "clock",
      "open-outcomes",
      "record-elsewhere",
    ] as const;
    for (const name of [...warnings, "alarm"] as const) readiness.close(name, "Why.");
    const answer = healthAnswer("readyz", readiness.all(), true);
    expect(answer.status).toBe(status);
    const lines = answer.body.split("\n").filter((line) => !line.startsWith("[+]"));
    expect(lines.slice(0, -2).toSorted()).toEqual(
      [alarm, ...warnings.map((name) => `[!]${name}: Why.`)].toSorted(),
    );
  });

  it.each(["proxy", "all", "rotator"] as const)("role %s is ready with another side's record", (role) => {
    const readiness = composeReadiness(role, false, () => {});
    readiness.open("started");
    readiness.open("token");
    readiness.close("record-elsewhere", "Of another site.");
    expect(isReady(readiness.all())).toBe(true);
  });
});
