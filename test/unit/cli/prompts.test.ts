import { Readable } from "node:stream";

import { describe, expect, it } from "vitest";

import { createPrompts, readToEnd } from "../../../src/cli/prompts.ts";
import { StopSignal } from "../../../src/cli/signals.ts";
import { createTestIo } from "../../support/command-io.ts";
import { typedInput } from "../../support/typed-input.ts";

describe("prompts", () => {
  it("ask one line after the other, and hide only what is to be hidden", async () => {
    const stdin = typedInput("me\n", "secret\r", "again\r");
    const { io, err } = createTestIo({ stdin });
    const prompts = createPrompts(io);
    expect(await prompts.shown("Name")).toBe("me");
    expect(stdin.modes).toEqual([]);
    expect(await prompts.hidden("Password")).toBe("secret");
    expect(await prompts.hidden("Once more")).toBe("again");
    prompts.close();
    expect(stdin.modes).toEqual([true, false]);
    expect(err()).toBe("Name: Password (not shown): \nOnce more (not shown): \n");
  });

  it("keep what was typed ahead for the next question", async () => {
    const prompts = createPrompts(createTestIo({ stdin: typedInput("one\rtwo\r\nthree", "\n") }).io);
    const lines = [await prompts.hidden("1"), await prompts.hidden("2"), await prompts.hidden("3")];
    expect(lines).toEqual(["one", "two", "three"]);
  });

  it("erase a whole character, however many bytes it has", async () => {
    const prompts = createPrompts(createTestIo({ stdin: typedInput("aé\u007f\u007fß🔑\b!\r") }).io);
    expect(await prompts.hidden("Password")).toBe("ß!");
  });

  it("end at Ctrl-C as by SIGINT, with the terminal as it was", async () => {
    const stdin = typedInput("ab\u0003");
    const prompts = createPrompts(createTestIo({ stdin }).io);
    await expect(prompts.hidden("Password")).rejects.toBeInstanceOf(StopSignal);
    prompts.close();
    expect(stdin.modes).toEqual([true, false]);
  });

  it.each(["a\u001b[Db\r", "a\u0017\r", "a\tb\r", "a\u001a\r", "a\u0000\r", "a\u0085\r", "a\u001bb\r"])(
    "refuse %j: it has a key that gives no text",
    async (typed) => {
      const stdin = typedInput(typed);
      const prompts = createPrompts(createTestIo({ stdin }).io);
      await expect(prompts.hidden("Password")).rejects.toMatchObject({ code: "input-refused" });
      prompts.close();
      expect(stdin.modes).toEqual([true, false]);
    },
  );

  it.each(["hidden", "shown"] as const)("refuse what is not UTF-8, where it is %s", async (how) => {
    const stdin = Object.assign(Readable.from([Buffer.from([0x61, 0xff, 0x0d])]), { isTTY: true });
    const prompts = createPrompts(createTestIo({ stdin }).io);
    await expect(prompts[how]("Name")).rejects.toMatchObject({ code: "input-refused" });
  });

  it("ask at a terminal that has no raw mode too", async () => {
    const stdin = Object.assign(Readable.from([Buffer.from("secret\n")]), { isTTY: true });
    const prompts = createPrompts(createTestIo({ stdin }).io);
    expect(await prompts.hidden("Password")).toBe("secret");
  });

  it("read nothing beyond 64 KiB, typed or piped", async () => {
    const much = "a".repeat(64 * 1024 + 1);
    await expect(
      createPrompts(createTestIo({ stdin: typedInput(much) }).io).hidden("Token"),
    ).rejects.toMatchObject({ code: "input-refused" });
    await expect(readToEnd(createTestIo({ stdin: much }).io)).rejects.toMatchObject({
      code: "input-refused",
    });
  });
});
