import { Readable } from "node:stream";

import { describe, expect, it } from "vitest";

import { readSecret } from "../../../src/cli/prompts.ts";
import { StopSignal } from "../../../src/cli/signals.ts";
import { CommandError } from "../../../src/errors.ts";
import { createTestIo } from "../../support/command-io.ts";
import { typedInput } from "../../support/typed-input.ts";

async function failureOf(reading: Promise<string>): Promise<unknown> {
  return reading.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("from standard input", () => {
  it.each([
    ["abc", "abc"],
    ["abc\n", "abc"],
    ["abc\r\n", "abc"],
    ["abc\n\n", "abc\n"],
    [" abc ", " abc "],
  ])("%j is read as %j: one line end is dropped, nothing else", async (given, read) => {
    const { io, err } = createTestIo({ stdin: given });
    expect(await readSecret(io, "Token")).toBe(read);
    expect(err()).toBe("");
  });

  it("keeps every byte", async () => {
    const bytes = Buffer.from([0xff, 0xc3, 0xa9, 0x00]);
    const text = await readSecret(createTestIo({ stdin: bytes }).io, "Token");
    expect(Buffer.from(text, "latin1")).toEqual(bytes);
  });

  it.each(["", "\n"])("%j is refused as nothing", async (given) => {
    const error = await failureOf(readSecret(createTestIo({ stdin: given }).io, "Token"));
    expect(error).toMatchObject({ code: "input-refused" });
  });

  it("stops reading beyond 64 KiB", async () => {
    let asked = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          asked++;
          yield Buffer.alloc(16 * 1024, "a");
        }
      })(),
      { highWaterMark: 1 },
    );
    const error = await failureOf(readSecret(createTestIo({ stdin: endless }).io, "Token"));
    expect(error).toBeInstanceOf(CommandError);
    expect((error as CommandError).exitCode).toBe(65);
    expect(asked).toBeLessThan(10);
  });
});

describe("from a terminal", () => {
  it("asks, shows nothing of what is typed, and leaves the terminal as it was", async () => {
    const stdin = typedInput("sec", "ret\r");
    const { io, err, out } = createTestIo({ stdin });
    expect(await readSecret(io, "Token")).toBe("secret");
    expect(err()).toBe("Token (not shown): \n");
    expect(out()).toBe("");
    expect(stdin.modes).toEqual([true, false]);
  });

  it.each([
    ["ab\u007fc\r", "ac"],
    ["ab\bc\n", "ac"],
    ["ab\u0015c\r", "c"],
    ["ab\u0004", "ab"],
    ["ab", "ab"],
  ])("%j gives %j", async (typed, read) => {
    expect(await readSecret(createTestIo({ stdin: typedInput(typed) }).io, "Token")).toBe(read);
  });

  it("ends at Ctrl-C as by SIGINT, with the terminal as it was", async () => {
    const stdin = typedInput("ab\u0003");
    const error = await failureOf(readSecret(createTestIo({ stdin }).io, "Token"));
    expect(error).toBeInstanceOf(StopSignal);
    expect((error as StopSignal).exitCode).toBe(130);
    expect(stdin.modes).toEqual([true, false]);
  });
});
