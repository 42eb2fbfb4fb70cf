import { expect, it } from "vitest";

import { shownPath } from "../../../src/policy/target.ts";

it.each([
  ["/api/institutions/v1/auth/login", "/api/institutions/v1/auth/login"],
  ["/favicon.ico", "/favicon.ico"],
  ["/", "/"],
  ["*", "*"],
  ["/api/institutions/v1/wallet/transaction/TRX123456789", "/api/institutions/v1/wallet/transaction/*"],
  ["/customers/233241234567/name", "/customers/*/name"],
  ["/tokens/12|Abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", "/tokens/*"],
  ["/tokens/abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", "/tokens/*"],
  ["/a%20b/..;/x", "/*/*/x"],
  ["/a?token=secret", "/a"],
  ["/a#secret", "/a"],
  ["?secret", ""],
  ["http://user:secret@host:1/a?b", "/a"],
  ["http://secret.example", ""],
  [`/${"a/".repeat(20)}`, "/a/a/a/a/a/a/a/a/…"],
  [`/${"x".repeat(16_000)}`, "/*"],
])("%j is logged as %j", (target, shown) => {
  expect(shownPath(target)).toBe(shown);
});
