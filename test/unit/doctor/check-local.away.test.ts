import { expect, it } from "vitest";

import { checkCredentials, checkStore } from "../../../src/doctor/check-local.ts";
import { StoreError, type StoreErrorCode } from "../../../src/store/contract.ts";
import { parsePlace } from "../../../src/store/open.ts";

it.each<[StoreErrorCode, string]>([
  ["unreachable", "unreachable"],
  ["refused", "refused"],
  ["damaged", "configuration"],
  ["wrong-key", "configuration"],
])("a store's %s ends the doctor as %s", (code, meaning) => {
  const place = { ...parsePlace("vault:secret/presto"), token: undefined, keys: undefined };
  const attempted = { kind: "failed", error: new StoreError(code, "It is so.") } as const;
  expect(checkStore(attempted, place, { mustWrite: false })).toMatchObject({ result: "FAIL", meaning });
  expect(checkCredentials(attempted, place)).toMatchObject({ result: "FAIL", meaning });
});
