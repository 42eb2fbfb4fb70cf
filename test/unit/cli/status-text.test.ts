import { describe, expect, it } from "vitest";

import { fullReport } from "../../../src/admin/status.ts";
import { type Emphasis, statusText } from "../../../src/cli/status-text.ts";
import { systemClock } from "../../../src/clock.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { runHere } from "../../support/command-io.ts";
import { renewalReport } from "../../support/renewal-report.ts";
import { statusReport } from "../../support/status-report.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const plain: Emphasis = {
  strong: (text) => text,
  good: (text) => text,
  bad: (text) => text,
  odd: (text) => text,
};

/** As it comes from a socket. */
function asJson(report: object): JsonObject {
  return JSON.parse(JSON.stringify(report)) as JsonObject;
}

describe("status, for people", () => {
  it("says what serves, since when, how long the token lives, and what was renewed last", () => {
    const renewal = renewalReport({
      dueAt: new Date("2027-01-29T00:00:00Z"),
      lastEnd: { kind: "renewed", detail: null, at: new Date("2026-11-30T09:00:00Z") },
    });
    const report = fullReport(
      statusReport({
        role: "all",
        expires_at: "2027-02-28T00:00:00.000Z",
        token_since: "2026-11-30T09:00:02.000Z",
        store: "file",
        store_state: { watch: null, last_read_at: "2026-11-30T11:59:55.000Z", failure: null },
      }),
      [{ name: "started", advisory: false, closed: false }],
      renewal,
    );
    expect(statusText(asJson(report), now, plain)).toEqual([
      "Ready. presto-sidecar 0.1.0, role all, up for 6 days (since 2026-11-24).",
      "",
      "Serves       calls to https://presto.example; 1 is being sent, none wait.",
      "Token        generation 3 (fingerprint 0123456789abcdef), in hand since 2026-11-30 09:00 UTC, ends in 89 days (2027-02-28).",
      "Renewal      due in 59 days (2027-01-29); the last one ended 3 hours ago: renewed.",
      "Store        file, read 5 seconds ago.",
      "Money        every call that moves money has a known end.",
      "Certificate  Presto's ends in 55 days (2027-01-24).",
    ]);
  });

  it.each(["The Pod presto/rotator-a", "This process"])("says who holds the lock: %s", (holder) => {
    const lock = { name: "Lease presto/token", holder, ours: holder === "This process" };
    const renewal = renewalReport({ state: "locking", lock });
    const text = statusText(asJson(fullReport(statusReport({}), [], renewal)), now, plain).join("\n");
    expect(text).toContain(`now locking; ${holder} holds the lock (Lease presto/token)`);
  });

  it("says what is wrong, in words, and what to look at", () => {
    const report = fullReport(
      statusReport({
        token_state: "refused",
        expires_at: "2026-11-29T00:00:00.000Z",
        open_outcomes: 2,
        oldest_open_outcome_seconds: 600,
        certificate_ends_at: "2026-11-27T12:00:00.000Z",
        store_state: { watch: "down", last_read_at: null, failure: "It is away." },
      }),
      [
        { name: "token", advisory: false, closed: true, reason: "None yet." },
        { name: "token-refused", advisory: true, closed: true, reason: "Presto answered 401." },
      ],
      undefined,
      {
        addresses: ["192.0.2.1"],
        registered: false,
        closed: "The address is not registered.",
        verdict: "not-registered",
        evidence: [],
        checkedAt: null,
        checkUrls: [],
      },
    );
    const text = statusText(asJson(report), now, plain).join("\n");
    for (const part of [
      "Not ready.",
      "refused by Presto",
      "ended 36 hours ago",
      "what became of 2 calls is not known, for 10 minutes; list with: presto-sidecar outcomes",
      "Presto's has ended 3 days ago.",
      "not read yet, its watch is down, so it is polled, It is away.",
      "from 192.0.2.1, not registered, calls are kept back: The address is not registered.",
      "[-] token: None yet.",
      "[!] token-refused: Presto answered 401.",
    ])
      expect(text).toContain(part);
  });

  it("takes an answer of any other version, and no control character", () => {
    for (const answer of [
      {},
      { ready: "yes", latches: [], renewal: 7, versions: null, generation: "3", certificate_ends_at: 1e300 },
      {
        latches: { "a\u001B[2J": { closed: true, reason: "\u0007" } },
        role: "\u001B[31m",
        expires_at: "soon",
      },
    ]) {
      const text = statusText(asJson(answer), now, plain).join("");
      expect(text).toMatch(/ready/);
      expect(text).not.toMatch(/\p{Cc}/u);
    }
  });
});

describe("status --watch", () => {
  it("waits for a sidecar that is away, and ends when it is stopped", async () => {
    let looks = 0;
    const stop = new Error("stopped");
    const clock = {
      ...systemClock,
      sleep: () => ((looks += 1) < 3 ? Promise.resolve() : Promise.reject(stop)),
    };
    const ran = await runHere(["status", "--watch"], {
      env: { PRESTO_ADMIN_LISTEN: "127.0.0.1:1" },
      clock,
    });
    expect(ran.code).toBe(1);
    expect(ran.err.match(/No sidecar answers/g)).toHaveLength(3);
  });
});
