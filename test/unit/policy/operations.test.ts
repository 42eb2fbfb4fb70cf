import { describe, expect, it } from "vitest";

import {
  createOperations,
  movesMoney,
  type Operation,
  walletOperations,
} from "../../../src/policy/operations.ts";

const wallet = "/api/institutions/v1/wallet";

function operation(method: string, template: string): Operation {
  return { name: `${method} ${template}`, method, template, nature: method === "GET" ? "reads" : "moves" };
}

/** Name of the operation found, or the kind of refusal. */
function found(operations: readonly Operation[], method: string, path: string): string {
  const match = createOperations(operations).match(method, path);
  return match.kind === "allowed" ? match.operation.name : match.kind;
}

describe("the wallet's operations", () => {
  it.each([
    ["POST", `${wallet}/init`, "wallet.init"],
    ["POST", `${wallet}/confirm`, "wallet.confirm"],
    ["GET", `${wallet}/transaction/TRX123`, "wallet.transaction"],
    ["GET", `${wallet}/init`, "method-not-allowed"],
    ["HEAD", `${wallet}/transaction/TRX123`, "method-not-allowed"],
    ["post", `${wallet}/init`, "method-not-allowed"],
    ["OPTIONS", `${wallet}/confirm`, "method-not-allowed"],
    ["POST", `${wallet}/confirm/x`, "not-allowed"],
    ["POST", `${wallet}/Confirm`, "not-allowed"],
    ["GET", `${wallet}/transaction`, "not-allowed"],
    ["GET", `${wallet}/transaction/a/b`, "not-allowed"],
    ["GET", `${wallet}/transaction/${"a".repeat(129)}`, "not-allowed"],
    ["GET", "/", "not-allowed"],
    ["GET", "", "not-allowed"],
  ])("%s %s is %s", (method, path, result) => {
    expect(found(walletOperations, method, path)).toBe(result);
  });

  it("tell that only the confirm moves money, and how to ask what became of it", () => {
    expect(walletOperations.filter(movesMoney)).toEqual([
      {
        name: "wallet.confirm",
        method: "POST",
        template: `${wallet}/confirm`,
        nature: "moves",
        reconcile: { member: "transaction_reference", path: `${wallet}/transaction/{reference}` },
      },
    ]);
  });
});

describe("createOperations", () => {
  it("lists every method of a known path for Allow, once", () => {
    const operations = createOperations([
      operation("GET", "/a/b"),
      operation("POST", "/a/b"),
      operation("POST", "/a/{x}"),
      operation("DELETE", "/{x}/b"),
    ]);
    expect(operations.match("PUT", "/a/b")).toEqual({
      kind: "method-not-allowed",
      allow: ["GET", "POST", "DELETE"],
    });
    expect(operations.match("PUT", "/a/c")).toEqual({
      kind: "method-not-allowed",
      allow: ["POST"],
    });
  });

  it("prefers a path written out to a template, whatever the order", () => {
    const table = [operation("POST", "/a/{x}"), operation("POST", "/a/b")];
    expect(found(table, "POST", "/a/b")).toBe("POST /a/b");
    expect(found(table, "POST", "/a/c")).toBe("POST /a/{x}");
  });

  it("finds the template of another method for a path that is written out", () => {
    const table = [operation("POST", "/a/b"), operation("GET", "/a/{x}")];
    expect(found(table, "GET", "/a/b")).toBe("GET /a/{x}");
  });

  it("takes the first of two that fit", () => {
    const table = [operation("GET", "/a/{x}"), operation("GET", "/{y}/b"), operation("GET", "/a/{z}")];
    expect(found(table, "GET", "/a/b")).toBe("GET /a/{x}");
    expect(found(table, "GET", "/c/b")).toBe("GET /{y}/b");
  });

  it("cannot be led astray by names of Object's own members", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(found(walletOperations, name, name)).toBe("not-allowed");
      expect(found(walletOperations, name, `${wallet}/init`)).toBe("method-not-allowed");
    }
  });

  it("throws at a template that can't be read, and names the operation", () => {
    expect(() => createOperations([operation("GET", "/a/*")])).toThrow(/GET \/a\/\*: .*wildcards/);
  });
});
