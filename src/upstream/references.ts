import { createHash } from "node:crypto";

import { isObject, type JsonObject, parseObject } from "../lib/json.ts";
import { contentOf, textOf } from "./content.ts";
import { largestForm, multipartTypeOf, multipartValues } from "./multipart.ts";

/** A transaction, as a body names it. */
export interface Reference {
  /** As it came; of a number its source text, since 9007199254740993 is not what a parser makes of it. */
  readonly text: string;
  readonly isNumber: boolean;
  /** The same for all spellings. */
  readonly key: string;
}

/**
 * Why no reference was read of a call's body.
 *
 * - `no-body`: there is none.
 * - `too-large`: it is larger than what is looked into.
 * - `coding`: its content codings can't be undone, or come to too much.
 * - `format`: it is neither an object of JSON nor a form, or one that the runtime can't read.
 * - `no-reference`: it can be read, and names none.
 */
export const unreadReasons = ["no-body", "too-large", "coding", "format", "no-reference"] as const;

export type UnreadReason = (typeof unreadReasons)[number];

/** What a call names: each value, where it names several. Where `references` is empty, `unread` says why. */
export interface NamedReferences {
  readonly references: readonly Reference[];
  readonly unread: UnreadReason | undefined;
}

/** More is not looked into: a confirm has 50 bytes, and PRESTO_MAX_BODY is 1 MiB unless given. */
const largestRead = 16 * 1024 * 1024;
/** What codings may come to. */
const largestDecoded = 1024 * 1024;

/** More values of one member than that are no mistake any more. */
const mostReferences = 16;

/**
 * The references in a call's body, which is never changed. Whatever some server could take for the
 * reference counts: each of several members of that name, a form's field, and a parameter of the query. A
 * multipart form is not read here.
 */
export function readReferences(call: ReadCall, member: string): NamedReferences {
  return named(call, member, readBody(call.body, call.headers, member));
}

/** The same of a multipart form, which the runtime reads in a turn of its own. @returns undefined where the body is none */
export function readMultipartReferences(
  call: ReadCall,
  member: string,
): Promise<NamedReferences> | undefined {
  const type = multipartTypeOf(call.headers);
  const { body } = call;
  if (type === undefined || body === undefined || body.length === 0) return undefined;
  return readForm(body, call.headers, type, member).then((inBody) => named(call, member, inBody));
}

/** What is read of a call. */
interface ReadCall {
  readonly body: Buffer | undefined;
  readonly headers: readonly string[];
  readonly target: string;
}

function named(call: ReadCall, member: string, inBody: readonly Value[] | UnreadReason): NamedReferences {
  const query = call.target.indexOf("?");
  const inQuery = query === -1 ? [] : formValues(call.target.slice(query + 1), member);
  const values = typeof inBody === "string" ? inQuery : [...inQuery, ...inBody];
  const references = new Map<string, Reference>();
  for (const { text, isNumber } of values) {
    const key = keyOf(text);
    if (key !== "" && references.size < mostReferences) references.set(key, { text, isNumber, key });
  }
  if (references.size > 0) return { references: [...references.values()], unread: undefined };
  return { references: [], unread: typeof inBody === "string" ? inBody : "no-reference" };
}

interface Value {
  readonly text: string;
  readonly isNumber: boolean;
}

function readBody(
  body: Buffer | undefined,
  headers: readonly string[],
  member: string,
): readonly Value[] | UnreadReason {
  if (body === undefined || body.length === 0) return "no-body";
  if (body.length > largestRead) return "too-large";
  const content = contentOf(headers, body, largestDecoded);
  if (content === undefined) return "coding";
  const text = textOf(content);
  const json = membersOf(text, member);
  if (json !== undefined) return json.outermost;
  const form = formValues(text, member);
  return form.length > 0 ? form : "format";
}

function formValues(text: string, member: string): Value[] {
  return new URLSearchParams(text).getAll(member).map(textValue);
}

async function readForm(
  body: Buffer,
  headers: readonly string[],
  type: string,
  member: string,
): Promise<readonly Value[] | UnreadReason> {
  if (body.length > largestForm) return "too-large";
  const content = contentOf(headers, body, largestForm);
  if (content === undefined) return "coding";
  const values = await multipartValues(content, type, member);
  if (values === undefined) return "format";
  return values.map(textValue);
}

function textValue(text: string): Value {
  return { text, isNumber: false };
}

/** An answer of which references are read, and those that were. */
interface Answer {
  readonly headers: readonly string[];
  readonly body: unknown;
  named?: readonly Reference[];
}

/**
 * The references that an answer of Presto's names, in its `data` or, without, beside it. Read once of
 * each answer: whoever passes it on asks, and judges it, and frees what it names.
 * @param member the same for all who ask, since an answer is one call's
 */
export function answeredReferences(answer: Answer, member: string): readonly Reference[] {
  return (answer.named ??= readAnswer(answer, member));
}

function readAnswer({ headers, body }: Answer, member: string): readonly Reference[] {
  if (!Buffer.isBuffer(body)) return [];
  const content = contentOf(headers, body);
  if (content === undefined) return [];
  const found = membersOf(textOf(content), member);
  if (found === undefined) return [];
  return (found.data ?? found.outermost).flatMap((value) => {
    const key = keyOf(value.text);
    return key === "" ? [] : [{ ...value, key }];
  });
}

/** White space and what can't be seen, at either end: servers drop it, each by its own list. */
const outer = /^[\s\p{Z}\p{Cc}\p{Cf}]+|[\s\p{Z}\p{Cc}\p{Cf}]+$/gu;

const visibleAscii = /^[!-~]{1,128}$/;

/** Keys of references are kept by the hundred thousand. */
const longestKey = 128;

/**
 * One key for all spellings that a server might take for one: letter case, Unicode form (NFKC, which
 * takes full-width and other look-alikes for the plain letter), outer white space. Folding more than
 * Presto does costs a 409 that says where to ask; folding less may move money twice. Empty for no reference at all.
 */
export function keyOf(text: string): string {
  // What nearly every reference is made of has one form only.
  if (visibleAscii.test(text)) return text.toLowerCase();
  const key = text.normalize("NFKC").toLowerCase().normalize("NFKC").replace(outer, "");
  return key.length <= longestKey ? key : `sha256:${createHash("sha256").update(key).digest("hex")}`;
}

/** Characters of a reference that can stand in a path as they are: what a `{param}` takes (policy/operations.ts). */
const plainReference = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

/** May it stand in a path? One that may not is never asked for. */
export function isPlainReference(text: string): boolean {
  return plainReference.test(text) && !/^auth\.*$/i.test(text);
}

/** A string, a bracket or another sign, or a number or word: what JSON is made of. */
const token = /\s*(?:("[^"\\]*(?:\\.[^"\\]*)*")|([{}[\],:])|([^\s"{}[\],:]+))/gy;

/** The values of a member. */
interface Members {
  readonly outermost: readonly Value[];
  /** Those within the outermost `data`; undefined where that is no object. */
  readonly data: readonly Value[] | undefined;
}

/**
 * Every value of that name in the outermost object, and in its `data`, as the text has it: a parser
 * would keep the last of several, and round numbers. Undefined for what is no object of JSON.
 */
function membersOf(text: string, member: string): Members | undefined {
  const parsed = parseObject(text);
  return parsed === undefined ? undefined : (plainMembers(parsed, text, member) ?? allMembers(text, member));
}

/**
 * Of a text in which neither name stands twice nor is spelled with escapes, the parser has dropped
 * nothing. So are nearly all bodies, and reading them once more would cost twice as much. Undefined
 * for any other, and where the value is a number.
 */
function plainMembers(parsed: JsonObject, text: string, member: string): Members | undefined {
  if (text.includes("\\") || isTwice(text, `"${member}"`) || isTwice(text, '"data"')) return undefined;
  const data = own(parsed, "data");
  const within = isObject(data) ? data : undefined;
  const [outer, inner] = [own(parsed, member), own(within, member)];
  if (typeof outer === "number" || typeof inner === "number") return undefined;
  return { outermost: plainValues(outer), data: within && plainValues(inner) };
}

function isTwice(text: string, part: string): boolean {
  const at = text.indexOf(part);
  return at !== -1 && text.includes(part, at + 1);
}

function own(object: JsonObject | undefined, name: string): unknown {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}

function plainValues(value: unknown): Value[] {
  return typeof value === "string" ? [{ text: value, isNumber: false }] : [];
}

/** The same from the text itself, whatever it looks like. It is JSON: that was seen. */
function allMembers(text: string, member: string): Members {
  const outermost: Value[] = [];
  let data: Value[] | undefined;
  let depth = 0;
  let isName = false;
  let name: string | undefined;
  let insideData = false;
  token.lastIndex = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [, string, sign, plain] = found;
    if (string !== undefined && isName) {
      name = unquoted(string);
      isName = false;
    } else if (sign === "{" || sign === "[") {
      depth += 1;
      isName = sign === "{";
      if (depth === 2) {
        insideData = isName && name === "data";
        if (insideData) data ??= [];
      }
    } else if (sign === "}" || sign === "]") {
      depth -= 1;
      isName = false;
    } else if (sign === ",") {
      // Names stand in objects alone; of lists nothing is looked at, so what begins there may pass for one.
      isName = true;
    } else if (sign === undefined && name === member && (depth === 1 || (depth === 2 && insideData))) {
      const value = valueOf(string, plain);
      if (value !== undefined) (depth === 1 ? outermost : data)?.push(value);
      name = undefined;
    } else if (sign === undefined && depth === 1) {
      name = undefined;
    }
  }
  return { outermost, data };
}

function unquoted(string: string): string {
  const value: unknown = JSON.parse(string);
  return typeof value === "string" ? value : "";
}

/** `true`, `false` and `null` name nothing. */
function valueOf(string: string | undefined, plain: string | undefined): Value | undefined {
  if (string !== undefined) return { text: unquoted(string), isNumber: false };
  return plain !== undefined && /^[-\d]/.test(plain) ? { text: plain, isNumber: true } : undefined;
}
