import { describe, expect, it } from "vitest";

import { CommandError, Problem } from "../../../src/errors.ts";
import { describeError } from "../../../src/observe/describe-error.ts";
import { StoreError } from "../../../src/store/contract.ts";

const mark = "MARKED-5f1e";

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("describeError", () => {
  it("tells the message and code of this program's own errors, and of their causes", () => {
    const error = new Problem("upstream-broken", {
      detail: "The answer ended in the middle.",
      cause: Object.assign(new Error(`read ${mark}`), { code: "ECONNRESET", syscall: "read", errno: -104 }),
    });
    expect(describeError(error)).toMatchObject({
      name: "Problem",
      code: "upstream-broken",
      message: "The answer ended in the middle.",
      cause: { name: "Error", code: "ECONNRESET", syscall: "read" },
    });
    expect(JSON.stringify(describeError(error))).not.toContain(mark);
    expect(describeError(new StoreError("damaged", "It was cut short."))).toEqual({
      name: "StoreError",
      code: "damaged",
      message: "It was cut short.",
    });
    expect(describeError(new CommandError("no-token", "There is none."))).toMatchObject({
      code: "no-token",
      message: "There is none.",
    });
  });

  it("tells neither the message nor own properties of a foreign error", () => {
    const error = Object.assign(new Error(`bad header Bearer ${mark}`), {
      code: "UND_ERR_INVALID_ARG",
      headers: { authorization: mark },
      request: mark,
    });
    const described = describeError(error);
    expect(described).toMatchObject({ name: "Error", code: "UND_ERR_INVALID_ARG" });
    expect(Object.keys(described).toSorted()).toEqual(["at", "code", "name"]);
    expect(JSON.stringify(described)).not.toContain(mark);
  });

  it("tells where a foreign error was made", () => {
    const error = thrown(() => JSON.parse(`{"token": ${mark}`));
    const described = describeError(error);
    expect(described.name).toBe("SyntaxError");
    expect(described.at?.join("\n")).toContain("describe-error.test");
    expect(JSON.stringify(described)).not.toContain(mark);
  });

  it.each([
    ["a message of many lines", `first\n${mark}\n    at ${mark}\n    at f (${mark})`],
    ["a message that copies the look of a frame", `    at ${mark} body`],
  ])("is not led on by %s", (_what, message) => {
    expect(JSON.stringify(describeError(new Error(message)))).not.toContain(mark);
  });

  it("takes a name, code or system call only if it looks like one", () => {
    const error = Object.assign(new Error("x"), {
      name: `Bearer ${mark}`,
      code: `${mark} ${mark}`,
      syscall: `open "${mark}"`,
    });
    const described = describeError(error);
    expect(described.name).toBe("Error");
    expect(described).not.toHaveProperty("code");
    expect(described).not.toHaveProperty("syscall");
    expect(JSON.stringify(described)).not.toContain(mark);
  });

  it("tells only the type of what is no error", () => {
    expect(describeError(`a string with ${mark}`)).toEqual({ name: "string" });
    expect(describeError({ token: mark })).toEqual({ name: "object" });
    expect(describeError(null)).toEqual({ name: "null" });
  });

  it("ends where causes go round in a circle", () => {
    const one = new Error("one");
    const other = new Error("other", { cause: one });
    one.cause = other;
    expect(JSON.stringify(describeError(one)).length).toBeLessThan(10_000);
  });
});
