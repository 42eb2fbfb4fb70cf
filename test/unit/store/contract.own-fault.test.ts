import { expect, it } from "vitest";

import { isOwnFault, StoreError, type StoreErrorCode } from "../../../src/store/contract.ts";

it.each<[StoreErrorCode, boolean, boolean]>([
  // Whatever is away, refuses or is not there yet comes right without a new start.
  ["unreachable", false, false],
  ["refused", false, false],
  ["not-yet", false, false],
  // What others may have put there does not take every process down that is started anew.
  ["damaged", true, false],
  // It stands there during a rollback, when every pod is moved.
  ["newer-schema", false, false],
  // A value, a key, the rights of a local file.
  ["wrong-key", true, true],
  ["unreadable", true, true],
  ["bad-token", true, true],
])("takes %s for a fault of this side: of a file %s, of a server's object %s", (code, local, remote) => {
  const error = new StoreError(code, "It is so.");
  expect(isOwnFault(error, false)).toBe(local);
  expect(isOwnFault(error, true)).toBe(remote);
});
