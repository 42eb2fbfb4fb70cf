import { anInteger, aText, aTime, exactFields, listOf, orNull, RecordFormatError } from "../lib/json.ts";
import { isTokenText, Secret } from "../secret.ts";
import type { Intent, RenewalReason, Stopped, TokenRecord } from "./contract.ts";

const reasons: readonly RenewalReason[] = ["scheduled", "rejected", "takeover", "manual"];

/**
 * A record as JSON text, with times in ISO 8601 (UTC, milliseconds). It holds the token:
 * the text goes nowhere but into a cipher. Throws `RangeError` for an invalid date.
 */
export function encodeRecord(record: TokenRecord): string {
  const { token, issuedAt, expiresAt, intent, stopped, writtenBy } = record;
  return JSON.stringify({
    schema: record.schema,
    generation: record.generation,
    token: token && token.reveal(),
    name: record.name,
    issuedAt: issuedAt && issuedAt.toISOString(),
    expiresAt: expiresAt && expiresAt.toISOString(),
    intent: intent && {
      id: intent.id,
      holder: intent.holder,
      soleCall: intent.soleCall,
      reason: intent.reason,
      at: intent.at.toISOString(),
    },
    unexplainedDeaths: record.unexplainedDeaths.map((at) => at.toISOString()),
    stopped: stopped && { reason: stopped.reason, at: stopped.at.toISOString() },
    writtenBy: writtenBy && { holder: writtenBy.holder, lock: writtenBy.lock },
  });
}

/**
 * The record that `encodeRecord` made the text of. Strict: a missing or unknown field is
 * refused too, because one that was dropped in silence would be lost at the next write.
 * Throws `RecordFormatError`.
 */
export function decodeRecord(json: string): TokenRecord {
  const field = exactFields(parseJson(json), "the record", [
    "schema",
    "generation",
    "token",
    "name",
    "issuedAt",
    "expiresAt",
    "intent",
    "unexplainedDeaths",
    "stopped",
    "writtenBy",
  ]);
  if (field("schema") !== 1) throw new RecordFormatError("schema is not 1");
  return {
    schema: 1,
    generation: anInteger(field("generation"), "generation"),
    token: orNull(field("token"), "token", aToken),
    name: orNull(field("name"), "name", aText),
    issuedAt: orNull(field("issuedAt"), "issuedAt", aTime),
    expiresAt: orNull(field("expiresAt"), "expiresAt", aTime),
    intent: orNull(field("intent"), "intent", anIntent),
    unexplainedDeaths: listOf(field("unexplainedDeaths"), "unexplainedDeaths", aTime),
    stopped: orNull(field("stopped"), "stopped", anAlarm),
    writtenBy: orNull(field("writtenBy"), "writtenBy", aWriter),
  };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The parser's own error quotes the text, which holds the token: it goes no further.
    throw new RecordFormatError("the record is not JSON");
  }
}

function aToken(value: unknown, name: string): Secret {
  const token = aText(value, name);
  if (!isTokenText(token)) throw new RecordFormatError(`${name} can't stand in a header field`);
  return new Secret(token);
}

function anIntent(value: unknown, name: string): Intent {
  const field = exactFields(value, name, ["id", "holder", "soleCall", "reason", "at"]);
  const soleCall = field("soleCall");
  if (typeof soleCall !== "boolean") throw new RecordFormatError(`${name}.soleCall is not true or false`);
  const reason = reasons.find((known) => known === field("reason"));
  if (reason === undefined) throw new RecordFormatError(`${name}.reason is not a known one`);
  return {
    id: aText(field("id"), `${name}.id`),
    holder: aText(field("holder"), `${name}.holder`),
    soleCall,
    reason,
    at: aTime(field("at"), `${name}.at`),
  };
}

function anAlarm(value: unknown, name: string): Stopped {
  const field = exactFields(value, name, ["reason", "at"]);
  return { reason: aText(field("reason"), `${name}.reason`), at: aTime(field("at"), `${name}.at`) };
}

function aWriter(value: unknown, name: string): { holder: string; lock: string } {
  const field = exactFields(value, name, ["holder", "lock"]);
  return { holder: aText(field("holder"), `${name}.holder`), lock: aText(field("lock"), `${name}.lock`) };
}
