import { describe, expect, it } from "vitest";

import { AddressAnswerError } from "../../../src/egress-ip/check-url.ts";
import { describeError } from "../../../src/observe/describe-error.ts";
import { logged } from "./logged.ts";

const error = new AddressAnswerError("html", "it answered with an HTML page");

describe("a check URL", () => {
  it("is a warning once, when it begins to fail", () => {
    const check = { name: "ip.example", address: undefined, error };
    const lines = logged((emit) => {
      emit({ type: "egress-checked", ...check, changed: true });
      emit({ type: "egress-checked", ...check, changed: false });
      emit({
        type: "egress-checked",
        name: "ip.example",
        address: "203.0.113.7",
        error: undefined,
        changed: true,
      });
    });
    expect(lines).toMatchObject([
      { level: "warn", fields: { check_url: "ip.example" }, error },
      { level: "debug" },
      { level: "debug", fields: { check_url: "ip.example", address: "203.0.113.7" } },
    ]);
  });

  it("has its failure told in full, since the sentence is our own", () => {
    expect(describeError(error)).toMatchObject({ code: "html", message: "it answered with an HTML page" });
  });
});

describe("an address", () => {
  it.each([
    [true, "info"],
    [null, "info"],
    [false, "warn"],
  ])("that is registered: %s is told as %s", (registered, level) => {
    const lines = logged((emit) => emit({ type: "egress-address-seen", addresses: ["a", "b"], registered }));
    expect(lines).toMatchObject([{ level, fields: { addresses: "a, b", registered } }]);
  });
});

describe("a verdict", () => {
  it.each([
    ["registered", "info"],
    ["unknown", "info"],
    ["not-registered", "warn"],
    ["dead-token", "warn"],
    ["partner-outage", "warn"],
  ] as const)("%s is told as %s, with its evidence", (verdict, level) => {
    const lines = logged((emit) =>
      emit({ type: "egress-verdict-changed", verdict, evidence: ["One.", "Two."] }),
    );
    expect(lines).toMatchObject([{ level, fields: { verdict, evidence: "One. Two." } }]);
  });
});

describe("calls that are kept back", () => {
  it("are an error and an audit line, and so is their end an audit line", () => {
    const lines = logged((emit) => {
      emit({ type: "egress-latch-changed", reason: "why" });
      emit({ type: "egress-latch-changed", reason: undefined });
    });
    expect(lines).toMatchObject([
      { level: "error", fields: { reason: "why", audit: true } },
      { level: "info", fields: { audit: true } },
    ]);
  });
});
