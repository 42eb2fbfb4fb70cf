import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { selectReplyHeaders, selectRequestHeaders } from "../../src/policy/headers.ts";

// Invariant 2: no field of the caller's moves the token, speaks for another caller or changes
// the call that was judged; no field of a reply leads the caller away from the origin.

const upstream = { host: "presto.example", port: 443 };

/** The promise, in a list of its own: copied from nowhere. */
const neverToPresto = [
  ..."connection keep-alive proxy-connection te trailer transfer-encoding upgrade".split(" "),
  ..."http2-settings content-length host expect authorization proxy-authorization".split(" "),
  ..."proxy-authenticate cookie cookie2 forwarded x-forwarded x-forwarded-for".split(" "),
  ..."x-forwarded-host x-forwarded-proto x-forwarded-port x-forwarded-prefix".split(" "),
  ..."x-forwarded-anything x-real-ip x-client-ip x-cluster-client-ip client-ip".split(" "),
  ..."true-client-ip cf-connecting-ip fastly-client-ip x-originating-ip x-remote-ip".split(" "),
  ..."x-remote-addr via x-request-id traceparent tracestate baggage".split(" "),
  ..."x-http-method-override x-http-method x-method-override x-original-url".split(" "),
  ..."x-rewrite-url x-original-host x-host presto-outcome presto-control".split(" "),
  ..."proxy-status proxy-features proxy x-original-uri x-envoy-original-path".split(" "),
];
const neverToCallers = [
  ..."connection keep-alive proxy-connection te trailer transfer-encoding upgrade".split(" "),
  ..."content-length set-cookie set-cookie2 alt-svc strict-transport-security".split(" "),
  ..."presto-outcome x-request-id proxy-status proxy-authenticate refresh".split(" "),
];
const harmless = [
  ..."content-type accept accept-language accept-encoding user-agent date etag".split(" "),
  ..."x-app-name x-forwards idempotency-key cache-control content-encoding".split(" "),
];

type Field = readonly [name: string, value: string];

function fieldsOf(flat: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < flat.length; at += 2) fields.push([flat[at] ?? "", flat[at + 1] ?? ""]);
  return fields;
}

/** Options named by the Connection lines, read as RFC 9110 says: a second, plainer reading. */
function optionsOf(fields: readonly Field[]): string[] {
  return fields
    .filter(([name]) => /^(proxy-)?connection$/i.test(name))
    .flatMap(([, value]) => value.split(","))
    .map((option) => option.trim().toLowerCase());
}

const asciiByte = (from: number, to: number): fc.Arbitrary<string> =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code));
const value = fc.string({
  unit: fc.oneof(asciiByte(0x20, 0x7e), asciiByte(0x80, 0xff), fc.constant("\t")),
  maxLength: 12,
});
/** Names in many letter cases; cheaper than fc.mixedCase, which would take most of the time. */
function spelt(...names: readonly string[]): fc.Arbitrary<string> {
  return fc.constantFrom(
    ...names,
    ...names.map((name) => name.toUpperCase()),
    ...names.map((name) => name.replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase())),
    ...names.map((name) => name.replaceAll(/.[a-z]/g, (pair) => pair.toUpperCase())),
    ...names.map((name) => name.slice(0, -1) + name.slice(-1).toUpperCase()),
  );
}
const anyName = fc.oneof(
  { weight: 3, arbitrary: spelt(...harmless) },
  { weight: 3, arbitrary: spelt(...neverToPresto, ...neverToCallers) },
  {
    weight: 1,
    arbitrary: spelt(...neverToPresto, ...harmless).map((name) => name.replaceAll("-", "_")),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/) },
  // Nothing that Node's parser would give, but a list that is built by hand might.
  { weight: 1, arbitrary: fc.constantFrom("", "Authorization ", " cookie", "Host\0", "x y", "\xe9") },
);
const connection = fc.tuple(
  spelt("connection", "proxy-connection"),
  fc
    .array(spelt(...harmless, "close", "keep-alive", "", "x-app"), {
      maxLength: 4,
    })
    .chain((names) => fc.constantFrom(",", ", ", " ,", "\t,\t", ",,").map((by) => names.join(by))),
);
const headerLists = fc
  .array(fc.oneof({ weight: 5, arbitrary: fc.tuple(anyName, value) }, { weight: 1, arbitrary: connection }), {
    maxLength: 14,
  })
  .map((fields): Field[] => fields);

/** Names among those kept that ought to have been dropped. */
function wronglyKept(kept: readonly Field[], sent: readonly Field[], never: string[]): string[] {
  const options = optionsOf(sent);
  return kept
    .map(([name]) => name.toLowerCase())
    .filter(
      (name) =>
        never.includes(name) ||
        options.includes(name) ||
        name.startsWith("proxy-") ||
        !/^[!#$%&'*+\-.^`|~0-9a-z]+$/.test(name),
    );
}

/** The harmless fields that no Connection line names: all of them must come through. */
function mustPass(sent: readonly Field[]): Field[] {
  const options = optionsOf(sent);
  return sent.filter(([name]) => {
    const lower = name.toLowerCase();
    return harmless.includes(lower) && !options.includes(lower);
  });
}

/** Are all of `part` found in `whole`, byte for byte and in the same order? */
function isPartInOrder(part: readonly Field[], whole: readonly Field[]): boolean {
  let from = 0;
  return part.every(([name, text]) => {
    const at = whole.findIndex((field, i) => i >= from && field[0] === name && field[1] === text);
    from = at + 1;
    return at !== -1;
  });
}

describe("fields on their way to Presto", () => {
  it("are never of the connection, credentials, another caller's or with an underscore, however the list is built", () => {
    fc.assert(
      fc.property(headerLists, (sent) => {
        const kept = fieldsOf(selectRequestHeaders(sent.flat()));
        expect(wronglyKept(kept, sent, neverToPresto)).toEqual([]);
        expect(kept.filter(([name]) => /^x-forwarded-/i.test(name))).toEqual([]);
      }),
      { numRuns: 10_000 },
    );
  });

  it("keep bytes, letter case, order and repetition", () => {
    let passed = 0;
    fc.assert(
      fc.property(headerLists, (sent) => {
        const kept = fieldsOf(selectRequestHeaders(sent.flat()));
        const harmlessKept = kept.filter(([name]) => harmless.includes(name.toLowerCase()));
        expect(harmlessKept).toEqual(mustPass(sent));
        expect(isPartInOrder(kept, sent)).toBe(true);
        passed += kept.length;
      }),
      { numRuns: 10_000 },
    );
    expect(passed).toBeGreaterThan(10_000);
  });

  it.each(neverToPresto)("never include %s, in any letter case", (name) => {
    const sent = [name, "a", name.toUpperCase(), "b", "Accept", "*/*"];
    expect(selectRequestHeaders(sent)).toEqual(["Accept", "*/*"]);
  });

  it.each([
    ["Connection", "X-App"],
    ["connection", "keep-alive, X-APP"],
    ["CONNECTION", "close,x-app ,foo"],
    ["Connection", '"x-app"'],
    ["Connection", "keep-alive x-app"],
    ["Connection", "keep-alive;x-app"],
    ["Proxy-Connection", "x-app"],
  ])("never include what %s: %s names, before or after it", (name, text) => {
    const sent = ["X-App", "before", name, text, "x-app", "after", "X-Apple", "stays"];
    expect(selectRequestHeaders(sent)).toEqual(["X-Apple", "stays"]);
  });

  it("lose what any of several Connection lines names", () => {
    const sent = ["Connection", "a", "A", "1", "Connection", "close", "B", "2", "Connection", "b"];
    expect(selectRequestHeaders([...sent, "C", "3"])).toEqual(["C", "3"]);
  });
});

describe("fields on their way to the caller", () => {
  it("are never of the connection, cookies, or the sidecar's own, however the list is built", () => {
    fc.assert(
      fc.property(headerLists, (sent) => {
        const kept = fieldsOf(selectReplyHeaders(sent.flat(), upstream));
        expect(wronglyKept(kept, sent, neverToCallers)).toEqual([]);
        const harmlessKept = kept.filter(([name]) => harmless.includes(name.toLowerCase()));
        expect(harmlessKept).toEqual(mustPass(sent));
      }),
      { numRuns: 10_000 },
    );
  });

  it.each(neverToCallers)("never include %s, in any letter case", (name) => {
    const sent = [name, "a", name.toUpperCase(), "b", "ETag", '"1"'];
    expect(selectReplyHeaders(sent, upstream)).toEqual(["ETag", '"1"']);
  });

  it("never hold what Node would refuse to write", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 8 }), (text) => {
        const kept = selectReplyHeaders(["X-App", text], upstream);
        const writable = text.split("").every((each) => /^[\t\x20-\x7e\x80-\xff]$/.test(each));
        expect(kept).toEqual(writable ? ["X-App", text] : []);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("a Location on its way to the caller", () => {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("/", "a", "v1", "?", "#", "..", ".", ":", "@", "x=1") },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        ..."// /// \\ https:// https: http:// HTTPS:// presto.example PRESTO.EXAMPLE evil.example :443 :8443 %2f %5c javascript:".split(
          " ",
        ),
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom("\t", "\n", "\r", " ", "\0", "\xa0", "\uff0f") },
    { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
  );
  const locations = fc
    .tuple(
      fc.constantFrom("", "/", "https://presto.example", "https://presto.example/a"),
      fc.array(piece, { maxLength: 6 }),
    )
    .map(([start, pieces]) => start + pieces.join(""));
  const bases = ["http://127.0.0.1:7380/api/v1/x", "https://presto.example/api/v1/x"];

  it("never leaves the origin, and leads where Presto said", () => {
    let kept = 0;
    fc.assert(
      fc.property(locations, fc.constantFrom("Location", "content-location"), (location, name) => {
        const [keptName, reference, ...more] = selectReplyHeaders([name, location], upstream);
        expect(more).toEqual([]);
        if (reference === undefined) return;
        kept += 1;
        expect(keptName).toBe(name);
        for (const base of bases) {
          const url = new URL(reference, base);
          expect(url.origin).toBe(new URL(base).origin);
          expect(url.username + url.password).toBe("");
        }
        const base = "https://presto.example/api/v1/x";
        expect(new URL(reference, base).href).toBe(new URL(location, base).href);
      }),
      { numRuns: 30_000 },
    );
    expect(kept).toBeGreaterThan(3_000);
  });
});
