import { describe, expect, it } from "vitest";

import { parseOperations } from "../../../src/config/parse-operations.ts";
import { InvalidValue } from "../../../src/config/parse.ts";
import { createOperations } from "../../../src/policy/operations.ts";

const wallet = "/api/institutions/v1/wallet";

describe("configured operations", () => {
  it("move money unless they are a GET", () => {
    expect(parseOperations("GET /a/{b}, POST /a")).toEqual([
      { name: "GET /a/{b}", method: "GET", template: "/a/{b}", nature: "reads" },
      { name: "POST /a", method: "POST", template: "/a", nature: "moves" },
    ]);
    for (const method of ["PUT", "PATCH", "DELETE"])
      expect(parseOperations(`${method} /a`)[0]?.nature).toBe("moves");
  });

  it("do what they are said to do", () => {
    expect(parseOperations("POST /a;reads,POST /b;prepares,PUT /c;moves,GET /d;reads")).toMatchObject([
      { name: "POST /a", template: "/a", nature: "reads" },
      { name: "POST /b", template: "/b", nature: "prepares" },
      { name: "PUT /c", template: "/c", nature: "moves" },
      { name: "GET /d", template: "/d", nature: "reads" },
    ]);
  });

  it("say how to ask what became of them", () => {
    expect(parseOperations("POST /a/{x};moves;reference=payout_id;ask=/payouts/{reference}/state")).toEqual([
      {
        name: "POST /a/{x}",
        method: "POST",
        template: "/a/{x}",
        nature: "moves",
        reconcile: { member: "payout_id", path: "/payouts/{reference}/state" },
      },
    ]);
  });

  it.each([
    ["GET /a;moves", "must move nothing"],
    ["POST /a;", "reads, ;prepares or ;moves"],
    ["POST /a;spends", "reads, ;prepares or ;moves"],
    ["POST /a;READS", "reads, ;prepares or ;moves"],
    ["POST /a;reads;ask=/a/{reference}", "reads, ;prepares or ;moves"],
    ["POST /a;moves;", "how to ask"],
    ["POST /a;moves;reference=x", "how to ask"],
    ["POST /a;moves;ask=/a/{reference}", "how to ask"],
    ["POST /a;moves;ask=/a/{reference};reference=x", "how to ask"],
    ["POST /a;moves;reference=;ask=/a/{reference}", "how to ask"],
    ["POST /a;moves;reference=x;ask=/a/{reference};more", "how to ask"],
    ["POST /a;moves;reference=x;ask=/a", "not {reference}"],
    ["POST /a;moves;reference=x;ask=/a/{id}", "not {reference}"],
    ["POST /a;moves;reference=x;ask=/a/{reference}/{id}", "not {reference}"],
    ["POST /a;moves;reference=x;ask=a/{reference}", "begin with a slash"],
    ["POST /a;moves;reference=x;ask=/auth/{reference}", "auth"],
  ])("%s is refused: %s", (text, why) => {
    expect(() => parseOperations(text)).toThrow(InvalidValue);
    expect(() => parseOperations(text)).toThrow(why);
  });

  it("are all readable by the table of operations", () => {
    const table = createOperations(parseOperations("GET /a/{b}/c.d~e_f-g,DELETE /{x}"));
    expect(table.match("GET", "/a/1/c.d~e_f-g").kind).toBe("allowed");
    expect(table.match("DELETE", "/z").kind).toBe("allowed");
  });

  it.each([
    "POST /api/institutions/v1/auth/token/issue",
    "POST /api/institutions/v1/AUTH/token/issue",
    "POST /api/institutions/v1/{x}/auth",
    "GET /api/institutions/v1/auth",
    "POST /auth/token/issue",
    "POST /index.php/api/institutions/v1/auth/password/reset",
    "POST /api/{a}/v1/auth/{b}/{c}",
  ])("%s spells auth and is refused", (text) => {
    expect(() => parseOperations(text)).toThrow("auth");
  });

  it.each([
    "",
    "GET",
    "/a",
    "GET/a",
    "get /a",
    "Get /a",
    "HEAD /a",
    "OPTIONS /a",
    "CONNECT /a",
    "TRACE /a",
    "PROPFIND /a",
    "* /a",
    "GET a",
    "GET https://presto.example/a",
    "GET /a b",
    "GET /a?x=1",
    "GET /a#x",
    "GET /a;b",
    "GET /a%2fb",
    "GET /a//b",
    "GET /a/",
    "GET /",
    "GET /./a",
    "GET /a/..",
    "GET /a/*",
    "GET /a/**",
    "GET /a/{b}c",
    "GET /a/{}",
    "GET /a/{b",
    "GET /a/{b*}",
    "GET /a/:b",
    "GET /é",
    "GET /a,",
    ",GET /a",
    "GET /a\\b",
  ])("%j is refused", (text) => {
    expect(() => parseOperations(text)).toThrow(InvalidValue);
  });

  it.each(["GET /a,GET /a", "GET /a/{b},GET /a/{c}", "GET /a, POST /a, GET /a"])(
    "%s names one operation twice",
    (text) => {
      expect(() => parseOperations(text)).toThrow("same as entry 1");
    },
  );

  it.each([`POST ${wallet}/confirm`, `POST ${wallet}/init`, `GET ${wallet}/transaction/{any}`])(
    "%s would change nothing",
    (text) => {
      expect(() => parseOperations(text)).toThrow("without being listed");
    },
  );

  it("are all judged at once", () => {
    expect(() => parseOperations("HEAD /a,GET /b,GET c")).toThrow(/entry 1: .*; entry 3: /);
  });
});
