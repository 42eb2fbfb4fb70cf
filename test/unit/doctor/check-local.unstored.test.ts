import { expect, it } from "vitest";

import { checkStore } from "../../../src/doctor/check-local.ts";
import { parsePlace } from "../../../src/store/open.ts";
import { recordOf } from "../store/records.ts";

const place = { ...parsePlace("file:/var/lib/presto/token"), token: undefined, keys: undefined };
const stored = { record: recordOf("1111|abc"), version: "1" };
const inMemory = "The only token that works is in this process's memory.";

it("a store is not fine while the only token is in the memory of a sidecar that runs", () => {
  const attempted = { kind: "done", value: { stored, writeFault: undefined } } as const;
  expect(checkStore(attempted, place, { mustWrite: true })).toMatchObject({ result: "OK" });
  expect(checkStore(attempted, place, { mustWrite: true, inMemory })).toMatchObject({
    result: "FAIL",
    meaning: "unreachable",
    detail: expect.stringContaining(inMemory),
    mend: expect.stringMatching(/Its log says.*do not end the process before\.$/),
  });
});

it("and why it can't be written is told where that can be seen", () => {
  const writeFault = {
    detail: "The folder can't be written by this user (EROFS)",
    mend: "Mount it to be written.",
  };
  const attempted = { kind: "done", value: { stored, writeFault } } as const;
  expect(checkStore(attempted, place, { mustWrite: true, inMemory }).mend).toBe(
    "The folder can't be written by this user (EROFS). Mount it to be written. Do that, and do not end the process before.",
  );
});
