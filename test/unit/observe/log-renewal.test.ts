import { describe, expect, it } from "vitest";

import type { RenewalEnd } from "../../../src/renewal/types.ts";
import { logged } from "./logged.ts";

const cause = new Error("x");
const at = new Date("2026-11-24T01:02:03Z");
const atText = "2026-11-24T01:02:03.000Z";

describe("the steps of a renewal", () => {
  it("are logged for who looks closely, and are no audit lines", () => {
    const move = { from: "intending", to: "checking", reason: "rejected", intent: "i-1" } as const;
    expect(logged((emit) => emit({ type: "renewal-moved", ...move }))).toEqual([
      { level: "debug", message: expect.any(String), fields: move, error: undefined },
    ]);
  });
});

describe("an issue call", () => {
  it("has a line before it, which says why it is made and under which intent", () => {
    expect(logged((emit) => emit({ type: "issue-begun", intent: "i-1", reason: "takeover" }))).toEqual([
      {
        level: "info",
        message: expect.stringContaining("may be dead"),
        fields: { intent: "i-1", reason: "takeover", audit: true },
        error: undefined,
      },
    ]);
  });

  it.each([
    ["info", "issued", /issued a token/],
    ["warn", "refused", /nothing was done/],
    ["warn", "not-sent", /nothing was done/],
    ["warn", "unclear", /may have executed/],
  ] as const)(
    "has a line at %s after it when its end is %s, true to what is known",
    (level, end, message) => {
      const [line] = logged((emit) => emit({ type: "issue-ended", intent: "i-1", end, cause, ms: 12.6 }));
      expect(line).toEqual({
        level,
        message: expect.stringMatching(message),
        fields: { intent: "i-1", end, ms: 13, audit: true },
        error: cause,
      });
    },
  );
});

const ends: [level: string, end: RenewalEnd, fields: object, error?: unknown][] = [
  [
    "info",
    { kind: "renewed", tokenId: "ab12", generation: 7, expiresAt: at },
    { generation: 7, token_id: "ab12", expires_at: atText },
  ],
  [
    "info",
    { kind: "renewed", tokenId: "ab12", generation: 7, expiresAt: null },
    { generation: 7, token_id: "ab12", expires_at: null },
  ],
  ["info", { kind: "nothing-to-do", detail: "Not due." }, { detail: "Not due." }],
  ["warn", { kind: "young-token", detail: "Young.", nextLookMs: 5_000 }, { detail: "Young." }],
  ["warn", { kind: "stopped", detail: "Two issue." }, { detail: "Two issue." }],
  ["warn", { kind: "elsewhere", detail: "Of another site." }, { detail: "Of another site." }],
  ["warn", { kind: "refused", credentials: true, detail: "No." }, { detail: "No." }],
  ["warn", { kind: "refused", credentials: false, detail: "Later." }, { detail: "Later." }],
  ["warn", { kind: "unreachable", detail: "Away.", cause }, { detail: "Away." }, cause],
  ["warn", { kind: "lost", detail: "Died." }, { detail: "Died." }],
  ["info", { kind: "shut-down" }, {}],
];

describe("the end of a renewal", () => {
  it.each(ends)("is an audit line at %s for %j", (level, end, fields, error) => {
    expect(logged((emit) => emit({ type: "renewal-ended", end, nextTryAt: at }))).toEqual([
      {
        level,
        message: expect.stringMatching(/^[A-Z].*\.$/),
        fields: { end: end.kind, ...fields, next_try_at: atText, audit: true },
        error,
      },
    ]);
  });

  it("leaves out the next try where there is none", () => {
    const [line] = logged((emit) =>
      emit({ type: "renewal-ended", end: { kind: "shut-down" }, nextTryAt: undefined }),
    );
    expect(line?.fields["next_try_at"]).toBeUndefined();
  });

  it("tells wrong credentials from another refusal, because only a person can mend those", () => {
    const [wrong, other] = logged((emit) => {
      emit({
        type: "renewal-ended",
        end: { kind: "refused", credentials: true, detail: "No." },
        nextTryAt: undefined,
      });
      emit({
        type: "renewal-ended",
        end: { kind: "refused", credentials: false, detail: "No." },
        nextTryAt: undefined,
      });
    });
    expect(wrong?.message).toContain("e-mail or password");
    expect(other?.message).not.toContain("password");
  });
});

describe("what points at somebody else who issues", () => {
  it("is warned of at each death, and logged as an error when the alarm is latched", () => {
    const lines = logged((emit) => {
      emit({ type: "unexplained-death", generation: 7, id: "ab12", count: 3 });
      emit({ type: "alarm-changed", alarm: { reason: "Two issue.", at } });
      emit({ type: "alarm-changed", alarm: undefined });
    });
    expect(lines.map(({ level, fields }) => [level, fields])).toEqual([
      ["warn", { generation: 7, token_id: "ab12", deaths_24h: 3, audit: true }],
      ["error", { reason: "Two issue.", stopped_at: atText, audit: true }],
      ["info", { audit: true }],
    ]);
  });
});

describe("what others do to the record", () => {
  it("is warned of when it was put back, with who wrote last, and told apart from one that was taken away", () => {
    const put = { type: "record-put-back", generation: 7, id: "ab12" } as const;
    const lines = logged((emit) => {
      emit({ ...put, lastWriter: '"velero" at 2026-11-24T02:00:00Z', wasGone: false });
      emit({ ...put, lastWriter: undefined, wasGone: true });
    });
    expect(lines).toEqual([
      {
        level: "warn",
        message: expect.stringContaining("Another record had been put in the place of ours"),
        fields: {
          generation: 7,
          token_id: "ab12",
          last_writer: '"velero" at 2026-11-24T02:00:00Z',
          audit: true,
        },
        error: undefined,
      },
      {
        level: "warn",
        message: expect.stringContaining("had been taken away"),
        fields: { generation: 7, token_id: "ab12", last_writer: undefined, audit: true },
        error: undefined,
      },
    ]);
  });

  it("is warned of while it is another side's, and told when it is one's own again", () => {
    const lines = logged((emit) => {
      emit({ type: "elsewhere-changed", reason: "Of another site." });
      emit({ type: "elsewhere-changed", reason: undefined });
    });
    expect(lines.map(({ level, message, fields }) => [level, message, fields])).toEqual([
      ["warn", expect.stringContaining("another side's"), { reason: "Of another site.", audit: true }],
      ["info", expect.stringContaining("this side's own again"), { audit: true }],
    ]);
  });
});

describe("a clock that makes each new token due at once", () => {
  it("is an error, and told when it is right again", () => {
    const lines = logged((emit) => {
      emit({ type: "clock-alarm-changed", reason: "A day ahead." });
      emit({ type: "clock-alarm-changed", reason: undefined });
    });
    expect(lines.map(({ level, fields }) => [level, fields])).toEqual([
      ["error", { reason: "A day ahead.", audit: true }],
      ["info", { audit: true }],
    ]);
  });
});
