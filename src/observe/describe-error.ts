import { ConnectError } from "../connect/errors.ts";
import { AddressAnswerError } from "../egress-ip/check-url.ts";
import { CommandError, Problem } from "../errors.ts";
import { RecordFormatError } from "../lib/json.ts";
import { StoreError } from "../store/contract.ts";
import { CallerGone } from "../upstream/call.ts";
import { OwnRequestError } from "../upstream/request-once.ts";

/** What may be told of an error. */
export interface DescribedError {
  readonly name: string;
  readonly code?: string;
  readonly syscall?: string;
  /** Only of errors whose sentences are this program's own. */
  readonly message?: string;
  /** Where an error that is not this program's own was made: the first stack frames, without its message. */
  readonly at?: readonly string[];
  readonly cause?: DescribedError;
}

/** Their messages are written here, for people, and hold nothing that came in from outside. */
const ownErrors = [
  Problem,
  CommandError,
  StoreError,
  ConnectError,
  CallerGone,
  RecordFormatError,
  OwnRequestError,
  AddressAnswerError,
] as const;

const identifier = /^[A-Za-z_]\w{0,63}$/;
/** A frame of V8's stack: a function's name, a file, a line, a column. A line of someone's text does not look like it. */
const frame =
  /^ {4}at (?:(?:async |new )?[\w.$<>#[\] ]{1,100} \()?(?:file:\/\/|node:|\/)[^\s()]{1,300}:\d+:\d+\)?$/;
const mostFrames = 6;
const deepestCause = 4;

/**
 * Reduces an error to what can't hold a secret. The message of a foreign error may quote a
 * header, a body or a file; its own properties may be a whole request (undici and Fastify
 * hang such things on their errors). So of those only name, code, system call and place are
 * taken, and each only if it looks like one.
 */
export function describeError(error: unknown): DescribedError {
  return describe(error, deepestCause);
}

function describe(error: unknown, depth: number): DescribedError {
  if (!(error instanceof Error)) return { name: error === null ? "null" : typeof error };
  const own = ownErrors.some((ownError) => error instanceof ownError);
  return {
    name: word(error.name) ?? "Error",
    ...optional("code", "code" in error ? word(error.code) : undefined),
    ...optional("syscall", "syscall" in error ? word(error.syscall) : undefined),
    ...optional("message", own ? error.message : undefined),
    ...optional("at", own ? undefined : frames(error.stack)),
    ...optional(
      "cause",
      error.cause === undefined || depth === 0 ? undefined : describe(error.cause, depth - 1),
    ),
  };
}

function optional<K extends keyof DescribedError>(
  name: K,
  value: DescribedError[K],
): Partial<DescribedError> {
  return value === undefined ? {} : { [name]: value };
}

function word(value: unknown): string | undefined {
  return typeof value === "string" && (identifier.test(value) || isDashed(value)) ? value : undefined;
}

/** This program's own codes have dashes: `upstream-broken`. */
function isDashed(value: string): boolean {
  return /^[a-z]+(?:-[a-z]+){1,5}$/.test(value) && value.length <= 64;
}

function frames(stack: unknown): readonly string[] | undefined {
  if (typeof stack !== "string") return undefined;
  const found = stack
    .split("\n")
    .filter((line) => frame.test(line))
    .slice(0, mostFrames);
  return found.length === 0 ? undefined : found.map((line) => line.trim().slice("at ".length));
}
