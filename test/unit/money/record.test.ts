import { once } from "node:events";
import { PassThrough } from "node:stream";

import { describe, expect, it } from "vitest";

import { type MoneyRecord, type SendingEnd, withRecord } from "../../../src/money/record.ts";
import { Secret } from "../../../src/secret.ts";
import { createToken } from "../../../src/token/token.ts";
import type { Call, CallEnd, Response } from "../../../src/upstream/call.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { unaskable } from "../../support/money-bench.ts";
import { plainCall } from "../../support/plain-call.ts";

const token = createToken(new Secret("of-the-test"), 3);

interface Sent {
  readonly call: Call;
  /** What the record was told. */
  readonly ends: SendingEnd[];
  readonly answered: Response[];
  /** Of the last sending. */
  answer(response: Response): void;
  /** Sends it once more. */
  again(): void;
}

/** A call sent through the record: of that operation, or one that can't be asked about. */
function send(name?: string): Sent {
  const ends: SendingEnd[] = [];
  const answered: Response[] = [];
  const sent: CallEnd[] = [];
  const record: MoneyRecord = {
    refusal: () => undefined,
    begin: () => undefined,
    end: (_sending, end) => void ends.push(end),
    settled() {},
  };
  const recorded = withRecord((_call, _token, end) => void sent.push(end), {
    record,
    clock: createHandClock(),
  });
  const call: Call = {
    ...plainCall(0, 20_000, name ?? "wallet.confirm"),
    ...(name === undefined ? { operation: unaskable } : {}),
    money: {
      references: name === undefined ? [] : [{ text: "T1", isNumber: false, key: "t1" }],
      unread: undefined,
      verdict: undefined,
    },
  };
  const again = (): void =>
    recorded(call, token, { answered: (response) => void answered.push(response), failed() {} });
  again();
  return { call, ends, answered, answer: (response) => sent.at(-1)?.answered(response), again };
}

describe("the record of a success that is passed on as it comes", () => {
  it("says completed once it is whole, and not before", async () => {
    const { ends, answered, answer } = send();
    const body = new PassThrough();
    answer({ status: 200, headers: [], body });
    expect([answered.length, ends]).toEqual([1, []]);
    body.resume();
    body.end("all of it");
    await once(body, "close");
    expect(ends).toEqual([{ kind: "answered", status: 200, verdict: "completed" }]);
  });

  it("says that it is unclear where it was cut", async () => {
    const { ends, answer } = send();
    const body = new PassThrough();
    answer({ status: 200, headers: [], body });
    body.destroy();
    await once(body, "close");
    expect(ends).toEqual([{ kind: "answered", status: 200, verdict: "unclear" }]);
  });

  it("waits for nothing where it is held whole, or says nothing of the money", () => {
    const { ends, answer } = send();
    answer({ status: 500, headers: [], body: new PassThrough() });
    expect(ends).toMatchObject([{ verdict: "unclear" }]);
    const held = send();
    held.answer({ status: 200, headers: [], body: Buffer.from("{}") });
    expect(held.ends).toMatchObject([{ verdict: "completed" }]);
  });
});

it("a refusal does not close what an earlier sending of the same call has left unclear", () => {
  const { call, ends, answer, again } = send("wallet.confirm");
  const json = ["content-type", "application/json"];
  answer({ status: 401, headers: ["content-type", "text/html"], body: Buffer.from("<p>who are you?</p>") });
  again();
  answer({ status: 422, headers: json, body: Buffer.from('{"message":"no"}') });
  expect(ends).toMatchObject([{ verdict: "unclear" }, { verdict: "unclear" }]);
  again();
  answer({ status: 200, headers: json, body: Buffer.from('{"data":{"transaction_reference":"T1"}}') });
  expect([ends.at(-1), call.money?.verdict]).toMatchObject([{ verdict: "completed" }, "completed"]);
  const clear = send("wallet.confirm");
  clear.answer({ status: 401, headers: json, body: Buffer.from("{}") });
  clear.again();
  clear.answer({ status: 422, headers: json, body: Buffer.from('{"message":"no"}') });
  expect(clear.ends).toMatchObject([{ verdict: "refused" }, { verdict: "refused" }]);
});
