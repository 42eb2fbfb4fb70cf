import { describe, expect, it } from "vitest";

import {
  checkRegistered,
  noContact,
  type RegisteredOptions,
} from "../../../src/doctor/check-registration.ts";
import { AddressAnswerError, type CheckAnswer } from "../../../src/egress-ip/check-url.ts";
import { parseAddress } from "../../../src/lib/ip.ts";
import { home, networksOf, strange } from "../../support/egress-bench.ts";

const url = {
  origin: { url: "https://a.example", host: "a.example", port: 443 },
  target: "/",
  name: "a.example",
};

function answerOf(text: string | undefined, index: number): CheckAnswer {
  const name = `check-${index + 1}.example`;
  const address = text === undefined ? undefined : parseAddress(text);
  return address === undefined
    ? { name, error: new AddressAnswerError("status", "it answered with status 500 instead of 200") }
    : { name, address };
}

function judged(said: readonly (string | undefined)[], facts: Partial<RegisteredOptions> = {}) {
  return checkRegistered({
    registration: { registered: networksOf([home]), urls: [url] },
    answers: { kind: "done", value: said.map(answerOf) },
    letIn: false,
    upstream: "https://presto.example",
    contact: undefined,
    now: 0,
    ...facts,
  });
}

describe("the address that calls leave from", () => {
  it.each([
    ["all see a registered one", [home, home], "OK"],
    ["one does, the other is down", [home, undefined], "WARN"],
    ["nobody answers", [undefined, undefined], "WARN"],
    ["one sees a strange one", [strange], "FAIL"],
    ["one sees a strange one, the other is down", [strange, undefined], "FAIL"],
    ["they see strange ones", [strange, "198.51.100.10"], "FAIL"],
    ["they contradict each other", [home, strange], "WARN"],
    ["it is of the other version of IP", ["2001:db8::1"], "WARN"],
  ])("is judged where %s", (_what, said, result) => {
    expect(judged(said).result).toBe(result);
  });

  it("is only told where nothing is there to compare it with", () => {
    const found = judged([strange], { registration: { registered: [], urls: [url] } });
    expect(found).toMatchObject({ result: "SKIP", detail: expect.stringContaining(strange) });
  });

  it("is skipped where nobody can be asked", () => {
    expect(judged([], { registration: { registered: networksOf([home]), urls: [] } }).result).toBe("SKIP");
    expect(judged([], { answers: undefined }).result).toBe("SKIP");
  });

  it("has a notice with each strange address once, and a place for the contact", () => {
    const found = judged([strange, strange]);
    const notice = found.result === "FAIL" ? (found.notice ?? "") : "";
    expect(notice.split(strange)).toHaveLength(2);
    expect(notice).toContain(noContact);
    expect(notice).toContain("https://presto.example");
  });

  it("is known to be let in all the same where Presto answers", () => {
    expect(judged([strange], { letIn: true }).detail).toContain("Presto answers all the same");
    expect(judged([strange]).detail).not.toContain("all the same");
  });
});
