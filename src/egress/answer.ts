import type { Readable } from "node:stream";

/** Presto's answer to one send. */
export interface Answer {
  readonly status: number;
  /** Name, value, name, value…, as they came. */
  readonly headers: string[];
  /** The whole body, or, where it is too large to hold, the stream of it. */
  readonly body: Buffer | Readable;
}

/** Lets go of an answer that nobody will read, so that its connection is freed. */
export function discard(answer: Answer): void {
  if (!Buffer.isBuffer(answer.body)) answer.body.destroy();
}

/** The value of an answer's first field of that name (in lower case), or undefined. */
export function fieldOf(answer: Pick<Answer, "headers">, name: string): string | undefined {
  const { headers } = answer;
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}

/** Is this an answer of the API itself, and not a page of some gateway in front of it? Judged by the type, or, without one, by the first byte. */
export function isJson(answer: Answer): boolean {
  const type = fieldOf(answer, "content-type");
  if (type !== undefined) return /^\s*application\/([a-z0-9.-]+\+)?json\s*(;|$)/i.test(type);
  return Buffer.isBuffer(answer.body) && (answer.body[0] === 0x7b || answer.body[0] === 0x5b);
}
