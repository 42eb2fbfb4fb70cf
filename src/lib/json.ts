/** Text that is not a record. The message names the field, never what stands in it. */
export class RecordFormatError extends Error {
  override readonly name = "RecordFormatError";
}

/** Reads one value, or throws a `RecordFormatError` that names it. */
export type Reader<T> = (value: unknown, name: string) => T;

/** Checks that `value` is an object with these fields and no others; answers what gives out one of them. */
export function exactFields<K extends string>(
  value: unknown,
  name: string,
  expected: readonly K[],
): (field: K) => unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RecordFormatError(`${name} is not an object`);
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const field of expected) {
    if (!fields.has(field)) throw new RecordFormatError(`${name} lacks the field ${field}`);
  }
  if (fields.size !== expected.length) throw new RecordFormatError(`${name} has a field that is not known`);
  return (field) => fields.get(field);
}

export function orNull<T>(value: unknown, name: string, read: Reader<T>): T | null {
  return value === null ? null : read(value, name);
}

export function listOf<T>(value: unknown, name: string, read: Reader<T>): T[] {
  if (!Array.isArray(value)) throw new RecordFormatError(`${name} is not a list`);
  return value.map((item: unknown, index) => read(item, `${name}[${index}]`));
}

export function aText(value: unknown, name: string): string {
  if (typeof value !== "string") throw new RecordFormatError(`${name} is not text`);
  return value;
}

export function anInteger(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new RecordFormatError(`${name} is not an integer of 0 or more`);
  }
  return value;
}

/** A time in the one form that `Date.toISOString` gives: other forms read differently on other machines. */
export function aTime(value: unknown, name: string): Date {
  const time = new Date(aText(value, name));
  if (Number.isNaN(time.getTime()) || time.toISOString() !== value) {
    throw new RecordFormatError(`${name} is not a time in ISO 8601`);
  }
  return time;
}

/** An object of JSON, with whatever is in it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Is it an object, rather than a list, null or a plain value? */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object that a text is in JSON; undefined for any other text. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
