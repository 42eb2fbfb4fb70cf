import { expect, it } from "vitest";

import { parseVaultAddress } from "../../../../src/store/vault/access.ts";

it.each([
  ["https://Vault.example:8200", "https://vault.example:8200"],
  ["https://vault.example/", "https://vault.example:443"],
  ["http://127.0.0.1:8100", "http://127.0.0.1:8100"],
  ["http://localhost:8100", "http://localhost:8100"],
  ["http://[::1]:8100", "http://[::1]:8100"],
])("%s is a Vault's address", (text, url) => {
  expect(parseVaultAddress(text)).toMatchObject({ url });
});

it.each([
  ["vault.example:8200", /https:/],
  ["ftp://vault.example", /https:/],
  ["http://vault.example:8200", /plain HTTP/],
  // Loopback in disguise is another host to whoever looks names up.
  ["http://127.1:8200", /written oddly/],
  ["http://localhost.example:8200", /plain HTTP/],
  ["https://u:MARKED@vault.example", /user name/],
  ["https://vault.example/v1", /a path/],
  ["https://vault.example?MARKED", /a path/],
  ["https://vault.example:0", /port/],
  ["https://:8200", /host/],
])("%s is none", (text, says) => {
  const wrong = parseVaultAddress(text);
  expect(wrong).toMatch(says);
  expect(wrong).not.toContain("MARKED");
});
