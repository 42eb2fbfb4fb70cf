import { describe, expect, it } from "vitest";

import { changeNotice, faultOfContact } from "../../../src/doctor/check-registration.ts";
import { networksOf } from "../../support/egress-bench.ts";

const facts = {
  upstream: "https://presto.example",
  registered: networksOf(["203.0.113.7", "2001:db8::/32"]),
  unregistered: ["198.51.100.9"],
  contact: "network@bank.example",
  at: new Date("2026-11-24T01:02:03Z"),
};

describe("the change notice", () => {
  it("has the old and the new addresses, the time and the contact", () => {
    const notice = changeNotice(facts);
    expect(notice).toMatch(/^To: security@presto\.com\nSubject: /);
    for (const part of [
      "https://presto.example",
      "to be registered:\n  198.51.100.9\n",
      "to be removed):\n  203.0.113.7\n  2001:db8::/32\n",
      "2026-11-24T01:02:03.000Z",
      "to network@bank.example.",
    ])
      expect(notice).toContain(part);
  });

  it("says so where there is none", () => {
    expect(changeNotice({ ...facts, registered: [] })).toContain("to be removed):\n  (none)\n");
  });
});

describe("a contact", () => {
  it.each(["network@bank.example", "+218 21 000 0000", "Ahmed, ahmed@bank.example"])(
    "may be %s",
    (contact) => {
      expect(faultOfContact(contact)).toBeUndefined();
    },
  );

  it.each([
    ["", "is empty"],
    [" ", "is empty"],
    ["a\nBcc: b", "line end"],
    ["a\u2028b", "line end"],
    ["x".repeat(255), "254"],
  ])("%j is none", (contact, why) => {
    expect(faultOfContact(contact)).toContain(why);
  });
});
