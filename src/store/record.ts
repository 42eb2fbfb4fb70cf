import {
  aFlag,
  anInteger,
  aText,
  aTime,
  isObject,
  type JsonObject,
  listOf,
  openObject,
  orNull,
  type Reader,
  RecordFormatError,
  schemaOne,
} from "../lib/json.ts";
import { isTokenText, Secret } from "../secret.ts";
import type { Codec } from "./codec.ts";
import {
  type Home,
  type Intent,
  type RenewalReason,
  type Stopped,
  StoreError,
  type TokenRecord,
  type WrittenBy,
} from "./contract.ts";

/** How the token's record is written. A field that is added here is read, and written, in the two functions below. */
export const recordCodec: Codec<TokenRecord> = {
  holds: "token",
  schema: 1,
  refusal: "bad-token",
  encode(record) {
    if (record.token !== null && !isTokenText(record.token.reveal())) {
      throw new StoreError(
        "bad-token",
        "The token holds something other than visible ASCII characters, so it can't be sent and was not stored.",
      );
    }
    const json = encodeRecord(record);
    // A record that breaks its own type, as no checked program makes one, must not be stored either.
    decodeRecord(JSON.parse(json));
    return json;
  },
  decode: decodeRecord,
  decodeLater: decodeLaterRecord,
};

/** What a record is before there is one. */
export const emptyRecord: TokenRecord = {
  schema: 1,
  generation: 0,
  token: null,
  name: null,
  issuedAt: null,
  expiresAt: null,
  intent: null,
  unexplainedDeaths: [],
  stopped: null,
  writtenBy: null,
};

/**
 * A record as JSON text, with times in ISO 8601 (UTC, milliseconds). It holds the token:
 * the text goes nowhere but to where the record is kept. Throws `RangeError` for an invalid date.
 */
export function encodeRecord(record: TokenRecord): string {
  const { token, issuedAt, expiresAt, intent, stopped, writtenBy } = record;
  return JSON.stringify({
    ...record.others,
    schema: record.schema,
    generation: record.generation,
    token: token && token.reveal(),
    name: record.name,
    issuedAt: issuedAt && issuedAt.toISOString(),
    expiresAt: expiresAt && expiresAt.toISOString(),
    intent: intent && {
      ...intent.others,
      id: intent.id,
      holder: intent.holder,
      soleCall: intent.soleCall,
      reason: intent.reason,
      at: intent.at.toISOString(),
    },
    unexplainedDeaths: record.unexplainedDeaths.map((at) => at.toISOString()),
    lastDeath: record.lastDeath ?? undefined,
    stopped: stopped && { ...stopped.others, reason: stopped.reason, at: stopped.at.toISOString() },
    writtenBy: writtenBy && { ...writtenBy.others, holder: writtenBy.holder, lock: writtenBy.lock },
    home: record.home ?? undefined,
    dueWhenIssued: record.dueWhenIssued === true ? true : undefined,
  });
}

/**
 * The record that `encodeRecord` made. A missing field is refused; one that is not known is a
 * later version's, and kept, because one that was dropped would be lost at the next write.
 * Throws `RecordFormatError`.
 */
export function decodeRecord(json: unknown): TokenRecord {
  return openObject(json, "the record", "", (field, others) => ({
    schema: field("schema", schemaOne),
    generation: field("generation", anInteger),
    token: field("token", orNull(aToken)),
    name: field("name", orNull(aText)),
    issuedAt: field("issuedAt", orNull(aTime)),
    expiresAt: field("expiresAt", orNull(aTime)),
    intent: field("intent", orNull(anIntent)),
    unexplainedDeaths: field("unexplainedDeaths", listOf(aTime)),
    ...optional(json, "lastDeath", () => field("lastDeath", orNull(aText))),
    stopped: field("stopped", orNull(anAlarm)),
    writtenBy: field("writtenBy", orNull(aWriter)),
    ...optional(json, "dueWhenIssued", () => field("dueWhenIssued", aFlag)),
    ...optional(json, "home", () => field("home", orNull(aHome))),
    ...kept(others()),
  }));
}

/**
 * What sending calls needs of a record that a later version wrote: its token, and whether a renewal is
 * under way. Only what still is what it is in this version is taken. Throws `RecordFormatError`
 * where the token is not.
 */
function decodeLaterRecord(json: unknown): TokenRecord {
  return openObject(json, "the record", "", (field) => {
    const token = field("token", orNull(aToken));
    const orElse = <T>(key: string, read: Reader<T>, otherwise: T): T => {
      try {
        return field(key, read);
      } catch (error) {
        if (error instanceof RecordFormatError) return otherwise;
        throw error;
      }
    };
    return {
      schema: 1,
      generation: orElse("generation", anInteger, 0),
      token,
      name: orElse("name", orNull(aText), null),
      issuedAt: orElse("issuedAt", orNull(aTime), null),
      expiresAt: orElse("expiresAt", orNull(aTime), null),
      intent: orElse("intent", orNull(aLaterIntent), null),
      unexplainedDeaths: [],
      stopped: orElse("stopped", orNull(anAlarm), null),
      writtenBy: null,
    };
  });
}

/** New calls are held while one stands, and it is known by its id. */
const aLaterIntent: Reader<Intent> = (value, name) =>
  openObject(value, name, `${name}.`, (field) => ({
    id: field("id", aText),
    holder: "",
    soleCall: false,
    reason: "scheduled",
    at: new Date(0),
  }));

/** A field that older records lack. */
function optional<K extends string, T>(json: unknown, key: K, read: () => T): { readonly [P in K]?: T } {
  const found: { [P in K]?: T } = {};
  if (isObject(json) && Object.hasOwn(json, key)) found[key] = read();
  return found;
}

function kept(others: JsonObject): { readonly others?: JsonObject } {
  return Object.keys(others).length === 0 ? {} : { others };
}

function aToken(value: unknown, name: string): Secret {
  const token = aText(value, name);
  if (!isTokenText(token)) throw new RecordFormatError(`${name} can't stand in a header field`);
  return new Secret(token);
}

const anIntent: Reader<Intent> = (value, name) =>
  openObject(value, name, `${name}.`, (field, others) => ({
    id: field("id", aText),
    holder: field("holder", aText),
    soleCall: field("soleCall", aFlag),
    reason: field("reason", aReason),
    at: field("at", aTime),
    ...kept(others()),
  }));

const reasons: readonly RenewalReason[] = ["scheduled", "rejected", "takeover", "manual"];

function aReason(value: unknown, name: string): RenewalReason {
  const reason = reasons.find((known) => known === value);
  if (reason === undefined) throw new RecordFormatError(`${name} is not a known one`);
  return reason;
}

const aHome: Reader<Home> = (value, name) => {
  if (!isObject(value)) throw new RecordFormatError(`${name} is not an object`);
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, aText(part, `a field of ${name}`)]),
  );
};

const anAlarm: Reader<Stopped> = (value, name) =>
  openObject(value, name, `${name}.`, (field, others) => ({
    reason: field("reason", aText),
    at: field("at", aTime),
    ...kept(others()),
  }));

const aWriter: Reader<WrittenBy> = (value, name) =>
  openObject(value, name, `${name}.`, (field, others) => ({
    holder: field("holder", aText),
    lock: field("lock", aText),
    ...kept(others()),
  }));
