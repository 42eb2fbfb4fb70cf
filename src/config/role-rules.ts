import { problem, type CleanVariables } from "./clean.ts";
import type { ConfigProblem } from "./report.ts";
import { credentialNames } from "./secret-rules.ts";
import type { VariableName } from "./variables.ts";

// What each role must have, and what it must not. A role that was refused is not judged by.

/** Does the role issue tokens? */
export function issues({ values }: CleanVariables): boolean {
  return values.PRESTO_ROLE === "rotator" || values.PRESTO_ROLE === "all";
}

/** The role that can't issue holds no credentials: whoever breaks into it can then make no token. */
export function proxyRules({ values, given }: CleanVariables): ConfigProblem[] {
  if (values.PRESTO_ROLE !== "proxy") return [];
  return credentialNames
    .filter((name) => given.has(name))
    .map((variable) => ({
      variable,
      wrong: `the role proxy cannot issue tokens and must not hold the account's credentials; take them out of its environment (or set PRESTO_ROLE to a role that issues: all, rotator)`,
      example: `unset ${variable}`,
    }));
}

/** A role that issues needs an account to issue with, and a store that it can write to. */
export function issuerRules(clean: CleanVariables): ConfigProblem[] {
  const role = clean.values.PRESTO_ROLE;
  if (role === undefined || !issues(clean)) return [];
  const problems = accountRules(clean, role);
  if (clean.values.PRESTO_STORE?.kind !== "env") return problems;
  return [
    ...problems,
    problem(
      "PRESTO_STORE",
      `is env:, which can only be read, and the role ${role} has to store the tokens that it issues; name a file`,
    ),
  ];
}

function accountRules({ given }: CleanVariables, role: string): ConfigProblem[] {
  // Beside the two others it is refused by credentialRules, and nothing is missing.
  if (given.has("PRESTO_CREDENTIALS")) return [];
  const email = given.has("PRESTO_EMAIL") || given.has("PRESTO_EMAIL_FILE");
  const password = given.has("PRESTO_PASSWORD") || given.has("PRESTO_PASSWORD_FILE");
  if (email && password) return [];
  if (!email && !password) {
    return [
      problem(
        "PRESTO_CREDENTIALS",
        `the role ${role} issues tokens, and no credentials are given: neither this, nor PRESTO_EMAIL and PRESTO_PASSWORD (or their _FILE forms); an empty one counts as not set`,
      ),
    ];
  }
  const [has, lacks]: readonly [string, VariableName] = email
    ? ["an e-mail address", "PRESTO_PASSWORD_FILE"]
    : ["a password", "PRESTO_EMAIL_FILE"];
  const other = email ? "PRESTO_PASSWORD" : "PRESTO_EMAIL";
  return [
    problem(
      lacks,
      `the role ${role} issues tokens, and only ${has} is given for it: neither this nor ${other} is set (an empty one counts as not set)`,
    ),
  ];
}
