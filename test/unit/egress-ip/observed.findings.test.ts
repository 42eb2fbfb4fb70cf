import { describe, expect, it } from "vitest";

import { AddressAnswerError, type CheckAnswer } from "../../../src/egress-ip/check-url.ts";
import { describeAnswers, findOut } from "../../../src/egress-ip/observed.ts";
import { parseAddress } from "../../../src/lib/ip.ts";
import { networksOf } from "../../support/egress-bench.ts";

const registered = networksOf(["203.0.113.0/24"]);

function answers(...texts: string[]): CheckAnswer[] {
  return texts.map((text, index) => {
    const name = `check-${index + 1}`;
    const address = parseAddress(text);
    return address === undefined
      ? { name, error: new AddressAnswerError("no-answer", "it is down") }
      : { name, address };
  });
}

describe("what a round showed", () => {
  it.each([
    [["203.0.113.7"], true, 1, 0],
    [["203.0.113.7", "203.0.113.8"], true, 2, 0],
    [["198.51.100.9"], false, 0, 1],
    [["198.51.100.9", "198.51.100.9"], false, 0, 2],
    [["198.51.100.9", "down"], false, 0, 1],
    [["203.0.113.7", "198.51.100.9"], null, 1, 1],
    [["2001:db8::1"], null, 0, 0],
    [["2001:db8::1", "203.0.113.7"], true, 1, 0],
    [["down"], null, 0, 0],
    [[], null, 0, 0],
  ] as const)("%j: registered %s", (texts, isRegistered, yes, no) => {
    expect(findOut(registered, answers(...texts))).toMatchObject({
      registered: isRegistered,
      counts: { registered: yes, notRegistered: no },
    });
  });

  it("has each address once, in order", () => {
    const found = findOut(registered, answers("203.0.113.9", "203.0.113.7", "203.0.113.9", "198.51.100.9"));
    expect(found.addresses).toEqual(["198.51.100.9", "203.0.113.7", "203.0.113.9"]);
    expect(found.unregistered).toEqual(["198.51.100.9"]);
  });

  it("is compared with nothing where nothing is registered", () => {
    expect(findOut([], answers("203.0.113.7"))).toMatchObject({ registered: null, unregistered: [] });
    expect(describeAnswers([], answers("203.0.113.7")).join()).toContain("PRESTO_EGRESS_IPS is not set");
  });

  it("is told in a sentence for each that answered", () => {
    expect(
      describeAnswers(registered, answers("203.0.113.7", "198.51.100.9", "down", "2001:db8::1")),
    ).toEqual([
      "check-1 sees 203.0.113.7, which is in PRESTO_EGRESS_IPS.",
      "check-2 sees 198.51.100.9, which is not in PRESTO_EGRESS_IPS.",
      "check-4 sees 2001:db8::1, and PRESTO_EGRESS_IPS has no IPv6 address to compare it with.",
    ]);
  });
});
