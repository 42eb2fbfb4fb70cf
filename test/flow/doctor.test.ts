import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { checks } from "../../src/doctor/finding.ts";
import { situationsOutside } from "../support/doctor-situations-outside.ts";
import { situationsHere } from "../support/doctor-situations.ts";
import { createDoctorStage } from "../support/doctor-stage.ts";
import type { DoctorStage } from "../support/doctor-stage.ts";

let stage: DoctorStage;
beforeAll(async () => {
  stage = await createDoctorStage();
});
afterAll(() => stage.close());
beforeEach(async () => {
  stage.sandbox.reset();
  stage.says("203.0.113.7");
  await stage.record();
  await stage.credentials();
});

const situations = [...situationsHere, ...situationsOutside];

/** What is skipped where everything is in order: what is not configured. */
const notConfigured = [
  "sidecar",
  "store-login",
  "store-rights",
  "store-object",
  "store-clock",
  "store-watch",
  "lock",
  "credentials",
  "egress-proxy",
  "pins",
];

function withoutSeconds(text: string): string {
  return text.replaceAll(/\d+ s\b/g, "some seconds");
}

describe("doctor", () => {
  it("looks at more than 25 situations here", () => {
    expect(situations.length).toBeGreaterThan(25);
  });

  it.each(situations)("says what holds and what does not where $what", async (situation) => {
    const { env, spoil, code, found, skipped = [] } = situation;
    await spoil?.(stage);
    const { code: ended, rows, text } = await stage.doctor(env?.(stage));
    expect(rows.map(({ check }) => check)).toEqual([...checks]);
    const wrong = rows.filter(({ result }) => result === "WARN" || result === "FAIL");
    expect(wrong.map(({ check, result }) => [check, result])).toEqual(
      [...checks].filter((check) => check in found).map((check) => [check, found[check]?.[0]]),
    );
    for (const { check, detail, mend } of wrong) {
      expect(`${detail} ${mend}`).toMatch(found[check]?.[1] ?? "");
      expect(mend).toMatch(/^[A-Z].{10,}/);
      // The two were asked at different moments.
      expect(withoutSeconds(text)).toContain(`${withoutSeconds(detail)} ${mend}\n`);
    }
    const configured = new Set(env?.(stage)["PRESTO_CREDENTIALS"] === undefined ? [] : ["credentials"]);
    const expected = [...notConfigured, ...skipped].filter(
      (check) => !configured.has(check) && !(check in found),
    );
    expect(rows.filter(({ result }) => result === "SKIP").map(({ check }) => check)).toEqual(
      checks.filter((check) => expected.includes(check)),
    );
    for (const { detail } of rows.filter(({ result }) => result === "SKIP"))
      expect(detail).toMatch(/^\S.{10,}\.$/);
    expect(ended).toBe(code);
  });
});
