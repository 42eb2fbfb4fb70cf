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

// Below: records, of which everything must be right, and each fault is named.

/** Text that is not a record. The message names the field, never what stands in it. */
export class RecordFormatError extends Error {
  override readonly name = "RecordFormatError";
}

/** Reads one value, or throws a `RecordFormatError` that names it. */
export type Reader<T> = (value: unknown, name: string) => T;

/** What a text is in JSON. @throws RecordFormatError, without the parser's own error, which quotes the text */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RecordFormatError(`${name} is not JSON`);
  }
}

/** Gives out the field of an object, as `read` reads it. */
export type FieldReader = <T>(field: string, read: Reader<T>) => T;

/**
 * Reads an object that has the fields that `read` asks for and no others: a field that was
 * dropped in silence would be lost when the object is written anew.
 * @param path stands before the fields' names in messages, as in `intent.at`; "" for the outermost object
 */
export function exactObject<T>(
  value: unknown,
  name: string,
  path: string,
  read: (field: FieldReader) => T,
): T {
  return openObject(value, name, path, (field, others) => {
    const result = read(field);
    if (Object.keys(others()).length > 0)
      throw new RecordFormatError(`${name} has a field that is not known`);
    return result;
  });
}

/**
 * Reads an object that may have more fields than those that `read` asks for: a later version's,
 * which must survive when this one writes the object anew.
 * @param read is given the fields by name, and at its end those that it did not ask for
 */
export function openObject<T>(
  value: unknown,
  name: string,
  path: string,
  read: (field: FieldReader, others: () => JsonObject) => T,
): T {
  if (!isObject(value)) throw new RecordFormatError(`${name} is not an object`);
  const rest = new Map<string, unknown>(Object.entries(value));
  const field: FieldReader = (key, readField) => {
    if (!rest.has(key)) throw new RecordFormatError(`${name} lacks the field ${key}`);
    const found = rest.get(key);
    rest.delete(key);
    return readField(found, `${path}${key}`);
  };
  return read(field, () => {
    const others = Object.fromEntries(rest);
    rest.clear();
    return others;
  });
}

/** What `read` reads, or null. */
export function orNull<T>(read: Reader<T>): Reader<T | null> {
  return (value, name) => (value === null ? null : read(value, name));
}

export function listOf<T>(read: Reader<T>): Reader<T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw new RecordFormatError(`${name} is not a list`);
    return value.map((item: unknown, index) => read(item, `${name}[${index}]`));
  };
}

export function aText(value: unknown, name: string): string {
  if (typeof value !== "string") throw new RecordFormatError(`${name} is not text`);
  return value;
}

export function aFlag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw new RecordFormatError(`${name} is not true or false`);
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

/** The only schema that there is so far. */
export function schemaOne(value: unknown): 1 {
  if (value !== 1) throw new RecordFormatError("schema is not 1");
  return value;
}
