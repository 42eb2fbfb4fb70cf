import { describe, expect, it } from "vitest";

import { checkToken, type TokenOptions } from "../../../src/doctor/check-local.ts";
import { checkAccepted } from "../../../src/doctor/check-presto.ts";
import { Secret } from "../../../src/secret.ts";
import type { TokenRecord } from "../../../src/store/contract.ts";
import { parsePlace } from "../../../src/store/open.ts";

const now = Date.UTC(2026, 10, 24);
const dayMs = 86_400_000;
const at = (days: number): Date => new Date(now + days * dayMs);

const record: TokenRecord = {
  schema: 1,
  generation: 7,
  token: new Secret("1111|marked-token"),
  name: null,
  issuedAt: at(-30),
  expiresAt: at(60),
  intent: null,
  unexplainedDeaths: [],
  stopped: null,
  writtenBy: null,
};
const [file, env] = [parsePlace("file:/token"), parsePlace("env:")];
const automatic = { automatic: true, renewAt: 0.67 };
const manual = { automatic: false, renewAt: 0.67 };
const intent = {
  id: "i",
  holder: "h",
  soleCall: true,
  reason: "scheduled",
  at: at(0),
} as const;
const elsewhere = { detail: "Of another\u009b site.", mend: "Take it as one's own." };
const stopped = { reason: "others issue tokens", at: at(-1) };

function results(facts: Partial<TokenOptions>): string {
  const whole: TokenOptions = { record, store: file, issuing: undefined, now, ...facts };
  return checkToken(whole)
    .map((found) => (found.result === "FAIL" ? `FAIL ${found.meaning}` : found.result))
    .join(", ");
}

describe("the token, its life and its renewal", () => {
  const cases: readonly (readonly [string, Partial<TokenOptions>, string])[] = [
    ["in order", {}, "OK, OK, OK"],
    ["no record", { record: undefined }, "FAIL no-token, SKIP, SKIP"],
    ["a record without a token", { record: { ...record, token: null } }, "FAIL no-token, SKIP, OK"],
    ["none yet, and one will be issued", { record: undefined, issuing: automatic }, "WARN, SKIP, SKIP"],
    ["none yet, and nobody issues one", { record: undefined, issuing: manual }, "FAIL no-token, SKIP, SKIP"],
    ["env:", { record: { ...record, expiresAt: null }, store: env }, "OK, SKIP, SKIP"],
    ["no known end", { record: { ...record, expiresAt: null } }, "OK, WARN, OK"],
    ["ends this moment", { record: { ...record, expiresAt: at(0) } }, "OK, FAIL refused, OK"],
    [
      "expired, and will be renewed",
      { record: { ...record, expiresAt: at(-1) }, issuing: automatic },
      "OK, WARN, OK",
    ],
    [
      "expired, and won't be",
      { record: { ...record, expiresAt: at(-1) }, issuing: manual },
      "OK, FAIL refused, OK",
    ],
    ["a week left", { record: { ...record, expiresAt: at(7) } }, "OK, OK, OK"],
    ["less than a week left", { record: { ...record, expiresAt: at(6.9) } }, "OK, WARN, OK"],
    // Of 90 days 29.7 are planned to be left; half of them is 14.85.
    [
      "renewed soon",
      { record: { ...record, issuedAt: at(-75), expiresAt: at(15) }, issuing: automatic },
      "OK, OK, OK",
    ],
    [
      "overdue",
      { record: { ...record, issuedAt: at(-76), expiresAt: at(14) }, issuing: automatic },
      "OK, WARN, OK",
    ],
    [
      "a short life that has just begun",
      { record: { ...record, issuedAt: at(-0.1), expiresAt: at(1) }, issuing: automatic },
      "OK, OK, OK",
    ],
    ["a renewal under way", { record: { ...record, intent } }, "OK, OK, WARN"],
    [
      "the alarm, where tokens are issued",
      { record: { ...record, stopped, intent }, issuing: manual },
      "OK, OK, FAIL refused",
    ],
    ["the alarm, where they are used", { record: { ...record, stopped } }, "OK, OK, WARN"],
    [
      "a record from elsewhere, where tokens are issued",
      { elsewhere, issuing: automatic },
      "OK, OK, FAIL refused",
    ],
    ["a record from elsewhere, where they are used", { elsewhere }, "OK, OK, WARN"],
  ];

  it.each(cases)("are judged: %s", (_what, facts, expected) => {
    expect(results(facts)).toBe(expected);
  });

  it("are told without the token", () => {
    const whole: TokenOptions = { record, store: file, issuing: undefined, now };
    expect(JSON.stringify(checkToken(whole))).not.toContain("marked-token");
  });

  it("keep the alarm's reason on one line", () => {
    const facts: TokenOptions = {
      record: { ...record, stopped: { ...stopped, reason: "a\nb\u001b[2J" } },
      store: file,
      issuing: undefined,
      now,
    };
    expect(checkToken(facts)[2]?.detail).not.toMatch(/\p{Cc}/u);
    expect(checkToken({ ...facts, elsewhere })[2]).toMatchObject({
      detail: "Of another  site.",
      mend: "Take it as one's own.",
    });
  });
});

describe("whether Presto accepts it", () => {
  const dead = { kind: "done", value: "dead" } as const;
  const expired = { ...record, expiresAt: at(-1) };

  it.each([
    ["alive", { record }, { kind: "done", value: "alive" }, "OK"],
    ["dead", { record }, dead, "FAIL"],
    ["dead, where tokens are issued", { record, issuing: automatic }, dead, "FAIL"],
    ["expired, and will be renewed", { record: expired, issuing: automatic }, dead, "WARN"],
    ["expired, and won't be", { record: expired, issuing: manual }, dead, "FAIL"],
    ["unclear", { record }, { kind: "done", value: "unclear" }, "WARN"],
    ["late", { record }, { kind: "late" }, "FAIL"],
    ["not asked", { record }, undefined, "SKIP"],
    ["none", { record: undefined }, undefined, "SKIP"],
  ] as const)("is judged: %s", (_what, facts, probed, expected) => {
    expect(checkAccepted({ store: file, issuing: undefined, now, ...facts }, probed).result).toBe(expected);
  });
});
