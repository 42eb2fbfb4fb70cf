import { describe, expect, it } from "vitest";

import { describeDefect, exitOf } from "../../../src/cli/exit.ts";
import { StopSignal } from "../../../src/cli/signals.ts";
import { exitCodes, CommandError, type CommandErrorCode } from "../../../src/errors.ts";
import { StoreError } from "../../../src/store/contract.ts";

describe("the exit code", () => {
  it("of each failure is the promised one", () => {
    const codes = (Object.keys(exitCodes) as CommandErrorCode[]).map((code) => [
      code,
      exitOf(new CommandError(code, "x")).code,
    ]);
    expect(Object.fromEntries(codes)).toEqual({
      unexpected: 1,
      usage: 64,
      "input-refused": 65,
      "no-token": 66,
      unreachable: 69,
      "system-refused": 71,
      "try-again": 75,
      refused: 77,
      configuration: 78,
    });
  });

  it.each(["unreadable", "wrong-key", "damaged", "newer-schema", "bad-token"] as const)(
    "of a record that is %s is 78",
    (code) => {
      expect(exitOf(new StoreError(code, "What to do."))).toEqual({ code: 78, message: "What to do." });
    },
  );

  it("of a token that is not there yet is 66", () => {
    expect(exitOf(new StoreError("not-yet", "Not there.")).code).toBe(66);
  });

  it("of a signal is the signal's, without a word", () => {
    expect(exitOf(new StopSignal("SIGTERM"))).toEqual({ code: 143, message: undefined });
  });

  it("of anything else is 1", () => {
    expect(exitOf(new TypeError("x")).code).toBe(1);
    expect(exitOf(undefined).code).toBe(1);
  });
});

describe("an error that nobody foresaw", () => {
  const marked = "MARKED-secret";

  it("is told in one line, by its kind and place", () => {
    const line = describeDefect(new RangeError(marked));
    expect(line).toMatch(/RangeError at exit\.test\.ts:\d+:\d+/);
    expect(line).not.toContain("\n");
  });

  it("never says more, wherever the secret stands", () => {
    class Odd extends Error {
      override name = `${marked} Error`;
      readonly code = `E ${marked}`;
    }
    const several = new Error(`${marked}\n    at ${marked} (${marked}.js:1:1)`, { cause: new Error(marked) });
    for (const error of [
      new Error(marked),
      new Odd(marked),
      several,
      marked,
      { message: marked },
      new AggregateError([new Error(marked)], marked),
    ]) {
      expect(describeDefect(error)).not.toContain(marked);
    }
  });
});
