import { gzipSync } from "node:zlib";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { answeredReferences, keyOf, readReferences } from "../../../src/upstream/references.ts";

const member = "transaction_reference";

function read(body: string | Buffer | undefined, headers: readonly string[] = [], target = "/confirm") {
  const { references, unread } = readReferences(
    { body: body === undefined ? undefined : Buffer.from(body), headers, target },
    member,
  );
  return unread ?? references.map(({ text }) => text);
}

describe("the references in a body", () => {
  it.each([
    ['{"transaction_reference":"T1"}', ["T1"]],
    [
      '{ "a" : [1,"transaction_reference",{"transaction_reference":"no"}], "transaction_reference" : "T1" }',
      ["T1"],
    ],
    ['{"data":{"transaction_reference":"no"},"transaction_reference":"T1"}', ["T1"]],
    ['{"transaction_reference":"T1","b":"x","transaction_reference":"T2"}', ["T1", "T2"]],
    ['{"transaction_reference":"T1","transaction_reference":" t1"}', [" t1"]],
    ['{"transaction_reference":9007199254740993}', ["9007199254740993"]],
    ['{"transaction_reference":-1.50e3}', ["-1.50e3"]],
    ['{"transaction_reference":"a\\"b\\\\"}', ['a"b\\']],
    ['{"transaction_reference":true}', "no-reference"],
    ['{"transaction_reference":null}', "no-reference"],
    ['{"transaction_reference":["T1"]}', "no-reference"],
    ['{"transaction_reference":{"transaction_reference":"T1"}}', "no-reference"],
    ['{"transaction_reference":"  "}', "no-reference"],
    ['{"x":"transaction_reference","y":"T1"}', "no-reference"],
    ['[{"transaction_reference":"T1"}]', "format"],
    ['{"transaction_reference":"T1"', "format"],
    ["transaction_reference=T1&transaction_reference=T%202", ["T1", "T 2"]],
    ["", "no-body"],
  ])("%s", (body, expected) => {
    expect(read(body)).toEqual(expected);
  });

  it("are read through content codings within bounds, and beside a query", () => {
    expect(read(gzipSync('{"transaction_reference":"T1"}'), ["content-encoding", "GZIP"])).toEqual(["T1"]);
    expect(read(gzipSync(" ".repeat(2 * 1024 * 1024)), ["content-encoding", "gzip"])).toBe("coding");
    expect(read(`{"transaction_reference":"T1","x":"${"y".repeat(16 * 1024 * 1024)}"}`)).toBe("too-large");
    expect(read('{"transaction_reference":"T1"}', [], "/confirm?transaction_reference=T2")).toEqual([
      "T2",
      "T1",
    ]);
    expect(read(undefined, [], "/confirm?transaction_reference=T2")).toEqual(["T2"]);
  });

  it("have one key for all spellings, of bounded length", () => {
    const keys = ["TRX-é", " trx-e\u0301\n", "\uff34RX-É", "\u200bTRX-é\u00a0"].map(keyOf);
    expect(new Set(keys).size).toBe(1);
    expect(keyOf("x".repeat(1_000_000)).length).toBeLessThan(100);
    expect(keyOf("x".repeat(200))).not.toBe(keyOf("x".repeat(201)));
  });

  it("of an answer stand in its data, or beside it", () => {
    const told = (body: string): string[] =>
      answeredReferences({ headers: [], body: Buffer.from(body) }, member).map(({ text }) => text);
    expect(
      told(
        '{"transaction_reference":"no","data":{"transaction_reference":"T1","x":{"transaction_reference":"no"}}}',
      ),
    ).toEqual(["T1"]);
    expect(told('{"transaction_reference":"T1"}')).toEqual(["T1"]);
    expect(told('{"data":{}}')).toEqual([]);
    expect(told("<html>")).toEqual([]);
    expect(told('{"data":{"transaction_reference":"T1"},"data":{}}')).toEqual(["T1"]);
  });
});

describe("a body that the parser tells all of", () => {
  const names = fc.constantFrom(member, "data", "status", "x");
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("T1", "T2", "", " t1", member, "data", null, true, 7, 9.5),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(names, tie("value"), { maxKeys: 3 }),
    ),
  }));
  const object = fc.dictionary(names, value, { maxKeys: 4 });
  /** The same in JSON, so that the parser alone is not enough. */
  const escaped = (text: string): string =>
    text
      .replaceAll(`"${member}"`, '"tr\\u0061nsaction_reference"')
      .replaceAll('"data"', '"d\\u0061ta"')
      .replace("{", '{"\\u0078x":0,');

  it("names the same as its text does", () => {
    fc.assert(
      fc.property(object, (body) => {
        const text = JSON.stringify(body);
        const longer = escaped(text).replace(":0,}", ":0}");
        expect(read(text)).toEqual(read(longer));
        const [one, other] = [text, longer].map((each) =>
          answeredReferences({ headers: [], body: Buffer.from(each) }, member),
        );
        expect(one).toEqual(other);
      }),
      { numRuns: 2_000 },
    );
  });
});
