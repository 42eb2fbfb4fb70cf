/** A request, read by the narrowest rules that there are. */
export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  /** Lower-case names, values as they came. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

const requestLine = /^(GET|POST|PUT|PATCH|DELETE) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const fieldLine = /^([!#$%&'*+.^`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)$/;

/**
 * The requests that all bytes of a connection consist of. Throws at any byte that is not part
 * of one, and at whatever two servers could read in two ways: so what it returns is what every
 * server would see.
 */
export function readStrictly(bytes: Buffer): StrictRequest[] {
  const requests: StrictRequest[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) throw new Error(`bytes that are no request: ${JSON.stringify(rest.toString("latin1"))}`);
    const [first = "", ...lines] = rest.subarray(0, end).toString("latin1").split("\r\n");
    const [, method = "", target = ""] = requestLine.exec(first) ?? [];
    if (method === "") throw new Error(`not a plain request line: ${JSON.stringify(first)}`);
    const fields = lines.map(readField);
    const length = lengthOf(method, fields);
    const start = end + 4;
    if (rest.length < start + length) throw new Error("a body that is shorter than its Content-Length");
    requests.push({ method, target, fields, body: rest.subarray(start, start + length) });
    rest = rest.subarray(start + length);
  }
  return requests;
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = fieldLine.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a field: ${JSON.stringify(line)}`);
  return [name.toLowerCase(), value];
}

/** RFC 9112 section 6.3, for a client that only ever sends a length. */
function lengthOf(method: string, fields: StrictRequest["fields"]): number {
  const named = (name: string): string[] =>
    fields.filter(([candidate]) => candidate === name).map(([, value]) => value);
  if (named("host").length !== 1) throw new Error("not one Host field");
  if (named("transfer-encoding").length > 0) throw new Error("a Transfer-Encoding field");
  const lengths = named("content-length");
  if (lengths.length > 1) throw new Error("more than one Content-Length field");
  const [length] = lengths;
  if (length === undefined && method !== "GET" && method !== "DELETE") throw new Error("no Content-Length");
  if (length !== undefined && !/^\d{1,9}$/.test(length)) throw new Error(`Content-Length: ${length}`);
  return Number(length ?? 0);
}
