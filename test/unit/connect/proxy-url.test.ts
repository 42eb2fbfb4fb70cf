import { inspect } from "node:util";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { describeProxy, parseProxyUrl } from "../../../src/connect/proxy-url.ts";

describe("the text of an egress proxy", () => {
  it.each([
    ["http://gateway.example:3128", { kind: "http", host: "gateway.example", port: 3128 }],
    // `new URL` would drop these two ports, and with them the knowledge that they were written.
    ["http://gateway.example:80/", { kind: "http", host: "gateway.example", port: 80 }],
    ["https://gateway.example:443", { kind: "https", host: "gateway.example", port: 443 }],
    ["HTTPS://Gateway.Example:8443", { kind: "https", host: "gateway.example", port: 8443 }],
    ["socks5://10.0.0.9:1080", { kind: "socks5", host: "10.0.0.9", port: 1080 }],
    ["http://[2001:DB8::0:1]:65535", { kind: "http", host: "2001:db8::1", port: 65_535 }],
  ])("%s is one", (text, proxy) => {
    expect(parseProxyUrl(text)).toEqual({ proxy: { ...proxy, login: undefined } });
  });

  it.each([
    ["http://gateway.example", "has no port"],
    ["http://gateway.example:", "has no port"],
    ["http://u:MARKED@gateway.example", "has no port"],
    ["socks5://[::1]", "has no port"],
    ["http://gateway.example:0", "a port that does not exist"],
    ["http://gateway.example:65536", "a port that does not exist"],
    ["http://gateway.example:8080/MARKED", "is none of"],
    ["gateway.example:3128", "is none of"],
    ["//gateway.example:3128", "is none of"],
    ["ftp://u:MARKED@gateway.example:21", "is none of"],
    ["constructor://gateway.example:21", "is none of"],
    ["", "is none of"],
    ["socks5h://gateway.example:1080", "write socks5, which has names resolved at the far side"],
    ["socks4://gateway.example:1080", "version 5 is the only one"],
    ["socks://gateway.example:1080", "version 5 is the only one"],
    ["http://:3128", "no valid host name"],
    ["http://gate way:3128", "no valid host name"],
    ["http://gateway.:3128", "ends with a dot; leave the dot out"],
    ["http://127.1:3128", "no valid host name"],
    ["http://::1:3128", "is none of"],
    ["http://u:MAR/KED@gateway.example:1", "must be percent-encoded"],
    ["http://u:MAR#KED@gateway.example:1", "must be percent-encoded"],
    ["http://u:MAR KED@gateway.example:1", "must be percent-encoded"],
    ["http://u:MARKED%@gateway.example:1", "a percent sign"],
    ["http://u:MARKED%ff@gateway.example:1", "a percent sign"],
    ["http://u:MARKED%0a@gateway.example:1", "a control character"],
    ["http://@gateway.example:1", "no user before it"],
    ["http://:MARKED@gateway.example:1", "no user before it"],
    ["http://u%3Aser:MARKED@gateway.example:1", "has a colon in its user"],
    ["socks5://MARKED@gateway.example:1", "empty or longer than 255 bytes"],
    [`socks5://${"MARKED".repeat(43)}:p@gateway.example:1`, "empty or longer than 255 bytes"],
  ])("%s is none, and it is said why without quoting it", (text, wrong) => {
    const parsed = parseProxyUrl(text);
    expect(parsed.wrong).toContain(wrong);
    expect(parsed.wrong).not.toContain("MARKED");
  });

  it("gives back any user and password that were encoded into it, and shows neither", () => {
    const part = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
      .filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed());
    fc.assert(
      fc.property(part, part, fc.constantFrom("http", "https", "socks5"), (user, password, scheme) => {
        fc.pre(scheme === "socks5" || !user.includes(":"));
        const text = `${scheme}://${encodeURIComponent(user)}:${encodeURIComponent(password)}@gateway.example:1`;
        const { proxy: gateway } = parseProxyUrl(text);
        expect(gateway?.login?.user.reveal()).toBe(user);
        expect(gateway?.login?.password.reveal()).toBe(password);
      }),
    );
    const { proxy: gateway } = parseProxyUrl("http://MARKED:MARKED@gateway.example:1");
    if (gateway === undefined) throw new Error("it is one");
    expect(describeProxy(gateway)).toBe("http://gateway.example:1");
    expect(inspect(gateway, { depth: 9 }) + JSON.stringify(gateway)).not.toContain("MARKED");
  });
});
