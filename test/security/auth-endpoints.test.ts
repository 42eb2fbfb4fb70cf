import { posix } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  createOperations,
  isAuthPath,
  type Operation,
  readTemplate,
  walletOperations,
} from "../../src/policy/operations.ts";
import { checkTarget } from "../../src/policy/target.ts";

// Invariant 3: `auth/*` cannot be reached through the proxy port, whatever is configured.
// One call to it would revoke the token of every app.

function configured(method: string, template: string): Operation {
  return { name: `${method} ${template}`, method, template, nature: "moves" };
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const parameters = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}", "{g}", "{h}"];

/** The widest tables that can be configured: parameters wherever one may stand. */
const widest = createOperations([
  ...walletOperations,
  ...methods.flatMap((method) =>
    parameters.flatMap((_, index) => [
      configured(method, `/${parameters.slice(0, index + 1).join("/")}`),
      configured(method, `/api/institutions/v1/${parameters.slice(0, index + 1).join("/")}`),
    ]),
  ),
]);

/** What the judgements together let through: the operation's name, or undefined. */
function reached(method: string, target: string): string | undefined {
  const verdict = checkTarget(target, () => true);
  if (!verdict.ok) return undefined;
  const match = widest.match(method, verdict.path);
  return match.kind === "allowed" ? match.operation.name : undefined;
}

const closed = [
  "/api/institutions/v1/auth/token/issue",
  "/api/institutions/v1/auth/password/reset",
  "/api/institutions/v1/auth/anything",
  "/api/institutions/v1/auth",
  "/api/institutions/v2/auth/token/issue",
  "/api/institutions/auth/token/issue",
  "/api/institutions/v1/v1/auth/token/issue",
  "/api/institutions/v1/AUTH/token/issue",
  "/API/Institutions/V1/Auth/Token/Issue",
  "/api/institutions/v1/auth./token/issue",
  "/api/institutions/v1/auth.../token/issue",
  "/index.php/api/institutions/v1/auth/token/issue",
  "/public/api/institutions/v1/auth/token/issue",
  "/api/institutions/v1/wallet/transaction/auth",
  "/auth/token/issue",
  "/api/institutions/v1/auth/token/issue?a=b",
  "/api/institutions/v1/auth/token/issue/",
  "/api/institutions/v1//auth/token/issue",
  "/api/institutions/v1/wallet/../auth/token/issue",
  "/api/institutions/v1/wallet/transaction/..%2f..%2fauth%2ftoken%2fissue",
  "/api/institutions/v1/%61uth/token/issue",
  "/api/institutions/v1/auth;a=b/token/issue",
  "/api/institutions/v1/auth%2ftoken/issue",
  "https://presto.example/api/institutions/v1/auth/token/issue",
];

describe("the auth endpoints", () => {
  it.each(closed)("cannot be reached, whatever the table lists: %s", (target) => {
    for (const method of methods) expect(reached(method, target)).toBeUndefined();
  });

  it.each(closed.slice(0, 15))("are no known path either, so that a 405 tells nothing: %s", (path) => {
    expect(widest.match("POST", path)).toEqual({ kind: "not-allowed" });
    expect(widest.match("HEAD", path)).toEqual({ kind: "not-allowed" });
  });

  it.each([
    "/api/institutions/v1/auth/token/issue",
    "/api/institutions/v1/auth/{what}",
    "/api/institutions/{version}/Auth/{what}",
    "/{a}/AUTH/{b}/{c}",
    "/api/institutions/v1/auth..",
  ])("cannot be listed: %s", (template) => {
    expect(isAuthPath(template)).toBe(true);
    expect(readTemplate(template)).toEqual({ ok: false, fault: expect.stringContaining("auth") });
    expect(() => createOperations([configured("POST", template)])).toThrow(TypeError);
  });

  it("do not take their neighbours with them", () => {
    for (const path of ["/api/authors/x", "/api/v1/oauth/x", "/api/v1/auth-log/x", "/x/unauth"]) {
      expect(isAuthPath(path)).toBe(false);
      expect(reached("GET", path)).toBeDefined();
    }
  });

  it("are not what any accepted and allowed path turns into, decoded, folded and normalised", () => {
    const segment = fc.oneof(
      { weight: 3, arbitrary: fc.mixedCase(fc.constantFrom("auth", "authx", "token", "issue")) },
      { weight: 3, arbitrary: fc.constantFrom("api", "institutions", "v1", "wallet", "init") },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          ..."auth. auth.. .auth auth~ auth- %61uth au%74h %2561uth auth%2f auth; . .. %2e%2e au\\th".split(
            " ",
          ),
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom("", "\uff41uth", "a\u0075th", "au\tth", "auth\0") },
      { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
    );
    const targets = fc
      .array(segment, { minLength: 1, maxLength: 7 })
      .map((segments) => `/${segments.join("/")}`);
    let allowed = 0;
    fc.assert(
      fc.property(targets, fc.constantFrom(...methods), (target, method) => {
        if (reached(method, target) === undefined) return;
        allowed += 1;
        let path = new URL(target, "https://presto.example").pathname;
        for (let round = 0; round < 3; round += 1) path = decodeURIComponent(path);
        path = posix.normalize(path.normalize("NFKC").replaceAll("\\", "/")).toLowerCase();
        const segments = path.split("/").map((each) => each.replace(/[.;\s\0].*$/s, ""));
        expect(segments).not.toContain("auth");
      }),
      { numRuns: 30_000 },
    );
    expect(allowed).toBeGreaterThan(1_000);
  });
});
