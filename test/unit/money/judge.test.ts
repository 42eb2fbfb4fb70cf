import { describe, expect, it } from "vitest";

import { judge } from "../../../src/money/judge.ts";
import { keyOf } from "../../../src/upstream/references.ts";
import { unaskable } from "../../support/money-bench.ts";
import { walletOperation } from "../../support/plain-call.ts";

const json = ["Content-Type", "application/json"];
const page = ["Content-Type", "text/html"];
const named = {
  operation: walletOperation("wallet.confirm"),
  money: {
    references: [{ text: "T1", isNumber: false, key: keyOf("T1") }],
    unread: undefined,
    verdict: undefined,
  },
};

function verdict(status: number, body: string, headers = json): string {
  return judge(named, { status, headers, body: Buffer.from(body) });
}

const about = (reference: string, more = ""): string =>
  `{"data":{"transaction_reference":"${reference}"${more}}}`;

describe("an answer to a confirm", () => {
  it.each([
    [200, about("T1")],
    [201, about(" t1 ")],
    [200, about("T1", ',"status":"completed"')],
    [200, '{"transaction_reference":"T1"}'],
  ])("says that the money has moved: %s %s", (status, body) => {
    expect(verdict(status, body)).toBe("completed");
  });

  it.each([
    [400, '{"message":"no"}'],
    [401, '{"message":"Unauthenticated."}'],
    [401, "{}"],
    [403, '{"message":"no"}'],
    [404, '{"message":"no"}'],
    [422, '{"message":"no","errors":{}}'],
    [429, '{"message":"later"}'],
  ])("says that nothing was done: %s %s", (status, body) => {
    expect(verdict(status, body)).toBe("refused");
  });

  it.each([
    [200, "{}"],
    [200, about("T2")],
    [200, about("")],
    [200, about("T1", ',"status":"pending"')],
    [200, "<h1>OK</h1>"],
    [204, ""],
    [302, '{"message":"moved"}'],
    [408, '{"message":"late"}'],
    [409, '{"message":"already confirmed"}'],
    [425, '{"message":"early"}'],
    [422, '{"error":"no"}'],
    [422, "[]"],
    [500, '{"message":"no"}'],
    [503, '{"message":"no"}'],
  ])("says neither: %s %s", (status, body) => {
    expect(verdict(status, body)).toBe("unclear");
  });

  it("of a gateway says neither, whatever it looks like", () => {
    for (const status of [400, 401, 403, 404, 429])
      expect(verdict(status, '<h1>{"message":"no"}</h1>', page)).toBe("unclear");
  });

  it("of an operation without a reference is a success or not", () => {
    const call = { operation: unaskable, money: { references: [], unread: undefined, verdict: undefined } };
    expect(judge(call, { status: 200, headers: json, body: Buffer.from("{}") })).toBe("completed");
    expect(judge(call, { status: 500, headers: json, body: Buffer.from("{}") })).toBe("unclear");
  });
});
