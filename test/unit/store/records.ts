import { randomBytes } from "node:crypto";

import * as fc from "fast-check";

import { Secret } from "../../../src/secret.ts";
import type { TokenRecord } from "../../../src/store/contract.ts";

/** A record that holds this token and nothing else of interest. */
export function recordOf(token: string, generation = 1): TokenRecord {
  return {
    schema: 1,
    generation,
    token: new Secret(token),
    name: "presto-sidecar",
    issuedAt: new Date("2026-11-01T08:00:00.000Z"),
    expiresAt: new Date("2027-01-30T00:00:00.000Z"),
    intent: null,
    unexplainedDeaths: [],
    stopped: null,
    writtenBy: null,
  };
}

/** A new store key, in the form that users give. */
export function newKey(): string {
  return randomBytes(32).toString("base64");
}

/** Secrets print as `[secret]` and compare as equal: this form shows the token, so that records can be compared. */
export function plain(record: TokenRecord | undefined): unknown {
  return record && { ...record, token: record.token && record.token.reveal() };
}

const time = fc.date({ noInvalidDate: true });
const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
const anyText = fc.string({ unit: "binary" });

/** Any record that the type allows. */
export const anyRecord: fc.Arbitrary<TokenRecord> = fc.record({
  schema: fc.constant(1 as const),
  generation: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  token: fc.option(
    fc.array(visible, { minLength: 1, maxLength: 300 }).map((chars) => new Secret(chars.join(""))),
  ),
  name: fc.option(anyText),
  issuedAt: fc.option(time),
  expiresAt: fc.option(time),
  intent: fc.option(
    fc.record({
      id: fc.uuid(),
      holder: fc.uuid(),
      soleCall: fc.boolean(),
      reason: fc.constantFrom("scheduled", "rejected", "takeover", "manual"),
      at: time,
    }),
  ),
  unexplainedDeaths: fc.array(time, { maxLength: 10 }),
  stopped: fc.option(fc.record({ reason: anyText, at: time })),
  writtenBy: fc.option(fc.record({ holder: fc.uuid(), lock: anyText })),
});
