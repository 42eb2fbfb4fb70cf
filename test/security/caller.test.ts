import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { hostNames, checkCaller } from "../../src/policy/caller.ts";

// Invariant 11: a browser cannot use the proxy. A foreign Host (DNS rebinding), any Origin and
// any cross-site Sec-Fetch-Site is refused.

const names = hostNames("presto.example", ["sidecar.internal"]);
const tcp = { unixSocket: false, names };
const unix = { unixSocket: true, names };

function codeOf(rawHeaders: readonly string[], rules = tcp): string {
  const verdict = checkCaller(rawHeaders, rules);
  return verdict.ok ? "ok" : verdict.code;
}

const wrongHosts: readonly string[] = [
  "evil.example",
  "evil.example:7380",
  "localhost.evil.example",
  "evil-localhost",
  "localhost.",
  "localhost.:7380",
  "presto.example.",
  "127.0.0.1.",
  "127.1",
  "127.0.1",
  "127",
  "2130706433",
  "0x7f.1",
  "0x7f000001",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "127.0.0.01",
  "127.0.0.001",
  "127.00.0.1",
  "127.0.0.256",
  "127.0.0.1.1",
  "127.0.0.",
  "127.0.0.1.evil.example",
  "127.0.0.1.nip.io",
  "128.0.0.1",
  "10.0.0.1",
  "0.0.0.0",
  "169.254.169.254",
  "::1",
  "[::1",
  "::1]",
  "[::1]:",
  "[::1]]",
  "[::1]x",
  "[::1].",
  "[::1]7380",
  "[0:0:0:0:0:0:0:1]",
  "[::0001]",
  "[::]",
  "[::2]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::1%lo]",
  "[::1%25lo]",
  "[localhost]",
  "[127.0.0.1]",
  "user@localhost",
  "user:pass@localhost",
  "@localhost",
  "localhost@evil.example",
  "localhost:80@evil.example",
  "localhost:",
  "localhost::80",
  "localhost:80:80",
  "localhost:http",
  "localhost:-1",
  "localhost:+80",
  "localhost: 80",
  "localhost :80",
  "localhost:0",
  "localhost:080",
  "localhost:8e1",
  "localhost:0x50",
  "localhost:65536",
  "localhost:99999",
  "localhost:655350",
  "localhost:18446744073709551617",
  "localhost:\u0661",
  "localhost/",
  "localhost/path",
  "localhost?",
  "localhost#",
  "localhost\\",
  "localhost,evil.example",
  "localhost, localhost",
  "localhost evil.example",
  "localhost\tevil.example",
  "localhost\0",
  "localhost\nevil.example",
  "http://localhost",
  "loc%61lhost",
  "\uff4cocalhost",
  "localhost\u3002",
  "localho\u017ft",
  "127\u30020\u30020\u30021",
  "*",
  ".",
  ":",
  ":80",
  "-",
  "null",
];

describe("a Host that is not ours", () => {
  it.each(wrongHosts)("is refused: %j", (host) => {
    expect(codeOf(["Host", host])).toBe("wrong-host");
  });

  it("is refused before anything is said about Origin", () => {
    expect(codeOf(["Origin", "https://evil.example", "Host", "evil.example"])).toBe("wrong-host");
  });

  it("is refused however it is built: an accepted one names the loopback or a listed name", () => {
    const part = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("localhost", "127.0.0.1", "[::1]", "presto.example") },
      {
        weight: 2,
        arbitrary: fc
          .tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 300 })))
          .map((octets) => `127.${octets.slice(1).join(".")}`),
      },
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 70_000 }).map((port) => `:${port}`) },
      { weight: 2, arbitrary: fc.constantFrom(".", ":", "@", "/", "[", "]", "0", "x", "%", " ", "\\") },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) },
    );
    const hosts = fc.array(fc.mixedCase(part), { minLength: 1, maxLength: 3 });
    let accepted = 0;
    fc.assert(
      fc.property(hosts, (parts) => {
        const host = parts.join("");
        if (codeOf(["Host", host]) !== "ok") return;
        accepted += 1;
        const url = new URL(`http://${host}/path`);
        expect(url.pathname).toBe("/path");
        expect(url.username + url.password).toBe("");
        expect(url.hostname).toMatch(/^(localhost|127(\.\d{1,3}){3}|\[::1\]|presto\.example)$/);
        // Spelt as a URL parser spells it: nothing was left to be understood in two ways.
        expect(host.toLowerCase().replace(/:\d+$/, "")).toBe(url.hostname);
      }),
      { numRuns: 30_000 },
    );
    expect(accepted).toBeGreaterThan(1_000);
  });
});

describe("a request without exactly one Host", () => {
  it.each([
    ["none", []],
    ["an empty one", ["Host", ""]],
    ["two", ["Host", "localhost", "Host", "localhost"]],
    ["two, the second foreign", ["Host", "localhost", "host", "evil.example"]],
    ["two, the first foreign", ["HOST", "evil.example", "Host", "localhost"]],
    ["two, one of them empty", ["Host", "", "Host", "localhost"]],
  ])("is refused as malformed, on a Unix socket too: %s", (_which, rawHeaders) => {
    expect(codeOf(rawHeaders)).toBe("bad-request");
    expect(codeOf(rawHeaders, unix)).toBe("bad-request");
  });
});

describe("a request that a web page made", () => {
  it.each(["https://evil.example", "http://localhost:7380", "null", "", "file://", "*"])(
    "is refused by its Origin, whatever that is, on a Unix socket too: %j",
    (origin) => {
      for (const name of ["Origin", "origin", "ORIGIN"]) {
        expect(codeOf(["Host", "localhost", name, origin])).toBe("browser-refused");
        expect(codeOf([name, origin, "Host", "any"], unix)).toBe("browser-refused");
      }
    },
  );

  it.each(["cross-site", "same-site", "", "None", "SAME-ORIGIN", "none, cross-site", "anything"])(
    "is refused by its Sec-Fetch-Site: %j",
    (site) => {
      for (const name of ["Sec-Fetch-Site", "sec-fetch-site"]) {
        expect(codeOf(["Host", "localhost", name, site])).toBe("browser-refused");
        expect(codeOf(["Host", "any", name, site], unix)).toBe("browser-refused");
      }
    },
  );

  it("is refused if one of several Sec-Fetch-Site lines says so", () => {
    const sites = ["Sec-Fetch-Site", "none", "Sec-Fetch-Site", "cross-site"];
    expect(codeOf(["Host", "localhost", ...sites])).toBe("browser-refused");
    expect(codeOf(["Sec-Fetch-Site", "cross-site", "Host", "localhost", "Sec-Fetch-Site", "none"])).toBe(
      "browser-refused",
    );
  });

  it("is told so with a sentence that repeats nothing of it", () => {
    for (const name of ["Host", "Origin", "Sec-Fetch-Site"]) {
      const verdict = checkCaller(["Host", "localhost", name, "MARKED"], tcp);
      expect(verdict.ok ? "" : verdict.detail).not.toContain("MARKED");
    }
  });
});
