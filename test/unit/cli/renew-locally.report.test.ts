import { describe, expect, it } from "vitest";

import { exitOf } from "../../../src/cli/exit.ts";
import { renewalNotes, explainAlarm, reportRenewal } from "../../../src/cli/renew-locally.ts";
import { ConnectError } from "../../../src/connect/errors.ts";
import { CommandError } from "../../../src/errors.ts";
import type { RenewalEnd } from "../../../src/renewal/types.ts";
import { Secret } from "../../../src/secret.ts";
import { StoreError, type TokenRecord } from "../../../src/store/contract.ts";
import { createTestIo } from "../../support/command-io.ts";

const token = new Secret("1111|MARKED-token");
const expiresAt = new Date("2099-02-22T00:00:00.000Z");
const record: TokenRecord = {
  schema: 1,
  generation: 7,
  token,
  name: "ops",
  issuedAt: null,
  expiresAt,
  intent: null,
  unexplainedDeaths: [],
  stopped: null,
  writtenBy: null,
};
const renewed: RenewalEnd = { kind: "renewed", tokenId: token.fingerprint(), generation: 7, expiresAt };

describe("a renewal that ended well", () => {
  it("is told with generation, fingerprint and expiry, and 0", () => {
    const { io, out, err } = createTestIo();
    expect(reportRenewal(io, renewed, record, false)).toBe(0);
    for (const part of ["generation 7", token.fingerprint(), "2099-02-22T00:00:00.000Z"])
      expect(out()).toContain(part);
    expect(err()).toBe("");
  });

  it("is told as JSON for machines", () => {
    const { io, out } = createTestIo();
    reportRenewal(io, renewed, record, true);
    expect(JSON.parse(out())).toEqual({
      renewed: true,
      generation: 7,
      expires_at: "2099-02-22T00:00:00.000Z",
      fingerprint: token.fingerprint(),
      name: "ops",
    });
  });

  it("names no other token's name", () => {
    for (const other of [undefined, { ...record, token: new Secret("another") }]) {
      const { io, out } = createTestIo();
      reportRenewal(io, renewed, other, true);
      expect(JSON.parse(out())).toMatchObject({ fingerprint: token.fingerprint(), name: null });
    }
  });

  it("in which nothing was to do says what was found, and is 0", () => {
    const end: RenewalEnd = { kind: "nothing-to-do", detail: "Another process has just renewed." };
    const told = createTestIo();
    expect(reportRenewal(told.io, end, record, false)).toBe(0);
    expect(told.out()).toContain("Another process has just renewed.");
    const asJson = createTestIo();
    expect(reportRenewal(asJson.io, end, record, true)).toBe(0);
    expect(JSON.parse(asJson.out())).toMatchObject({ renewed: false, generation: 7, name: "ops" });
  });
});

describe("a renewal that did not work out", () => {
  const detail = "This is why.";
  const notConnected = new ConnectError("unreachable", "connection refused", "connection_refused");
  const ends: readonly (readonly [number, RegExp, RenewalEnd])[] = [
    [77, /This is why\. .*token renew --force/, { kind: "stopped", detail }],
    [77, /This is why\. .*credentials import/, { kind: "refused", credentials: true, detail }],
    [77, /This is why\.$/, { kind: "refused", credentials: false, detail }],
    [77, /Try again in 3 s\./, { kind: "refused", credentials: false, detail, retryAfterMs: 2_100 }],
    [69, /^This is why\.$/, { kind: "unreachable", detail }],
    [
      69,
      /^This is why\. Reason: connection refused\.$/,
      { kind: "unreachable", detail, cause: notConnected },
    ],
    [69, /^This is why\.$/, { kind: "unreachable", detail, cause: new CommandError("unreachable", detail) }],
    [69, /^This is why\.$/, { kind: "unreachable", detail, cause: new Error("MARKED") }],
    [
      78,
      /^There are none\.$/,
      { kind: "unreachable", detail, cause: new CommandError("configuration", "There are none.") },
    ],
    [
      78,
      /^Another key\.$/,
      { kind: "unreachable", detail, cause: new StoreError("wrong-key", "Another key.") },
    ],
    [
      78,
      /^No right to it\.$/,
      { kind: "unreachable", detail, cause: new StoreError("unreadable", "No right to it.") },
    ],
    [
      78,
      /^No address\.$/,
      { kind: "unreachable", detail, cause: new StoreError("bad-credentials", "No address.") },
    ],
    [69, /Reason: Away\.$/, { kind: "unreachable", detail, cause: new StoreError("unreachable", "Away.") }],
    [
      71,
      /^This is why\.$/,
      { kind: "unreachable", detail, cause: new CommandError("system-refused", "No disk.") },
    ],
    [69, /This is why\. .*token show/, { kind: "lost", detail }],
    [75, /run the command again, or start the sidecar/, { kind: "shut-down" }],
  ];

  it.each(ends)("ends with %i and %s", (code, says, end) => {
    for (const asJson of [false, true]) {
      const { io, out } = createTestIo();
      let thrown: unknown;
      try {
        reportRenewal(io, end, record, asJson);
      } catch (error) {
        thrown = error;
      }
      const exit = exitOf(thrown);
      expect(exit.code).toBe(code);
      expect(exit.message).toMatch(says);
      expect(out()).toBe("");
    }
  });
});

it("an alarm that says itself what clears it is not told twice", () => {
  const reason = "Somebody else issues. End that, and run: presto-sidecar token renew --force";
  expect(explainAlarm(reason)).toBe(reason);
});

describe("while a renewal is under way", () => {
  const notes = { settleMs: 90_000, hasTerm: true };

  it.each([
    [
      true,
      /^Another process holds the renewal lock\. It is waited for, up to 5s; where it does not move, until it has stood still for 45s, [^\n]*Ctrl-C[^\n]*\n$/,
    ],
    [false, /^Another process holds the renewal lock\. It is waited for, up to 5s\. Ctrl-C[^\n]*\n$/],
  ])(
    "a person is told whose end is waited for, and for how long (a lock with a term: %s)",
    (hasTerm, says) => {
      const { io, err } = createTestIo();
      const emit = renewalNotes(io, { ...notes, hasTerm });
      const move = { from: "idle", reason: undefined, intent: undefined } as const;
      emit({ type: "renewal-moved", ...move, to: "locking" });
      emit({ type: "renewal-moved", ...move, to: "locking" });
      expect(err()).toMatch(says);
    },
  );

  it("a person is told once what is waited for, and what Ctrl-C does", () => {
    const { io, out, err } = createTestIo();
    const emit = renewalNotes(io, notes);
    const move = { from: "issuing", reason: "manual", intent: "1" } as const;
    emit({ type: "renewal-moved", ...move, to: "settling" });
    emit({ type: "renewal-moved", ...move, to: "settling" });
    expect(err()).toMatch(/^It is not known yet [^\n]*90s \(PRESTO_SETTLE\)[^\n]*Ctrl-C[^\n]*\n$/);
    emit({ type: "renewal-moved", ...move, to: "reconciling" });
    expect(err()).toContain("it would be lost with this process");
    expect(out()).toBe("");
  });

  it("nothing is said of states that pass by themselves", () => {
    const { io, err } = createTestIo();
    const emit = renewalNotes(io, notes);
    for (const to of [
      "reading",
      "probing",
      "intending",
      "checking",
      "issuing",
      "storing",
      "clearing",
    ] as const)
      emit({ type: "renewal-moved", from: "idle", to, reason: "manual", intent: undefined });
    expect(err()).toBe("");
  });

  it("warnings are passed on", () => {
    const { io, err } = createTestIo();
    renewalNotes(
      io,
      notes,
    )({
      type: "warning",
      message: "The clock is odd.",
      cause: new Error("MARKED"),
    });
    expect(err()).toBe("Warning: The clock is odd.\n");
  });
});
