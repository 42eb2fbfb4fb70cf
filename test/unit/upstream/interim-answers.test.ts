import { describe, expect, it } from "vitest";

import { InterimAnswers, InterimError } from "../../../src/upstream/interim-answers.ts";

const final = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 100 within a body\r\n\r\n";

/** What is left of these chunks for the final answer. */
function skipAll(chunks: readonly string[], interim = new InterimAnswers()): string {
  interim.begin();
  let left = "";
  let begun = false;
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk, "latin1");
    const rest: Buffer | undefined = begun ? bytes : interim.skip(bytes);
    begun ||= rest !== undefined;
    left += rest?.toString("latin1") ?? "";
  }
  return left;
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof InterimError ? error.code : "another error";
  }
}

const heads: readonly (readonly [string, string])[] = [
  ["a bare 100", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["a 100 without a reason", "HTTP/1.1 100 \r\n\r\n"],
  ["a 100 without a space behind it", "HTTP/1.1 100\r\n\r\n"],
  ["a 102 of HTTP/1.0", "HTTP/1.0 102 Processing\r\n\r\n"],
  ["a 103 with fields", "HTTP/1.1 103 Early Hints\r\nLink: </a>; x=1\r\nContent-Length: 9\r\n\r\n"],
  ["one that nobody knows", "HTTP/1.1 199 X\r\nA:\r\nB: \0\r\n\r\n"],
  ["empty lines before it", "\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"],
  ["several", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n\r\nHTTP/1.1 103 E\r\nLink: <b>\r\n\r\n"],
  ["none", ""],
];

describe("of an answer is left, after", () => {
  it.each(heads)("%s, all of the final one, wherever the bytes are cut", (_what, head) => {
    const all = head + final;
    expect(skipAll([all])).toBe(final);
    expect(skipAll([...all])).toBe(final);
    for (let first = 1; first < all.length; first += 1) {
      expect(skipAll([all.slice(0, first), all.slice(first)])).toBe(final);
      for (let second = first + 1; second < Math.min(all.length, head.length + 14); second += 1)
        expect(skipAll([all.slice(0, first), all.slice(first, second), all.slice(second)])).toBe(final);
    }
  });

  it.each([
    "HTTP/1.1 1000 X\r\n\r\n",
    "HTTP/1.1 1",
    "HTTP/1.1 1x0 X\r\n\r\n",
    "HTTP/1.2 100 X\r\n\r\n",
    "HTTP/2 100\r\n\r\n",
    "HTTP/1.1  100 X\r\n\r\n",
    "ICY 100 OK\r\n\r\n",
  ])("what is none: every byte of it as soon as that is known (%j)", (bytes) => {
    const other = `${bytes}zzzzzzzzzzzzz`;
    expect(skipAll([other])).toBe(other);
    expect(skipAll([...other])).toBe(other);
  });
});

describe("it is refused,", () => {
  it.each([
    ["INTERIM_SWITCH", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ["INTERIM_MALFORMED", "HTTP/1.1 100 Continue\n\n"],
    ["INTERIM_MALFORMED", "HTTP/1.1 100 Continue\r\rX: y\r\n\r\n"],
    ["INTERIM_MALFORMED", "HTTP/1.1 100 Continue\r\nX: y\n\r\n"],
    ["INTERIM_MALFORMED", "HTTP/1.1 100 Continue\r\n\rX\r\n\r\n"],
  ])("with %s: %j", (code, bytes) => {
    expect(codeOf(() => skipAll([bytes]))).toBe(code);
    expect(codeOf(() => skipAll([...bytes]))).toBe(code);
  });

  it.each([
    ["heads", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["fields", "X: y\r\n"],
    ["empty lines", "\r\n"],
  ])("with INTERIM_ENDLESS, when they come to more than 32 KiB of %s", (_what, piece) => {
    const interim = new InterimAnswers();
    interim.begin();
    if (piece.startsWith("X")) interim.skip(Buffer.from("HTTP/1.1 103 X\r\n"));
    const bytes = Buffer.from(piece);
    let taken = 0;
    const code = codeOf(() => {
      for (; taken < 64 * 1024; taken += bytes.length) interim.skip(bytes);
    });
    expect(code).toBe("INTERIM_ENDLESS");
    expect(taken).toBeLessThanOrEqual(32 * 1024);
    // And counts anew for the next answer.
    expect(skipAll([final], interim)).toBe(final);
  });
});
