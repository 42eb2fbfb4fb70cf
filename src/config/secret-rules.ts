import { posix } from "node:path";

import { filesOf } from "../store/file/file.ts";
import { type CleanVariables, problem } from "./clean.ts";
import type { ConfigProblem } from "./report.ts";

// Rules about where secrets come from: the token, the key of what is sealed, the account, the egress proxy.

const twoForms = [
  ["PRESTO_TOKEN", "PRESTO_TOKEN_FILE"],
  ["PRESTO_STORE_KEY", "PRESTO_STORE_KEY_FILE"],
  ["PRESTO_EMAIL", "PRESTO_EMAIL_FILE"],
  ["PRESTO_PASSWORD", "PRESTO_PASSWORD_FILE"],
  ["PRESTO_EGRESS_PROXY", "PRESTO_EGRESS_PROXY_FILE"],
] as const;

/** What only a role that issues tokens may be given. */
export const credentialNames = [
  "PRESTO_EMAIL",
  "PRESTO_EMAIL_FILE",
  "PRESTO_PASSWORD",
  "PRESTO_PASSWORD_FILE",
  "PRESTO_CREDENTIALS",
] as const;

/** A secret comes by value or by file. */
export function formRules({ given }: CleanVariables): ConfigProblem[] {
  return twoForms
    .filter(([byValue, byFile]) => given.has(byValue) && given.has(byFile))
    .map(([byValue, byFile]) => problem(byFile, `is given beside ${byValue}; only one of the two can be`));
}

/** A token by `env:` must be given. */
export function tokenRules({ values, given }: CleanVariables): ConfigProblem[] {
  if (values.PRESTO_STORE?.kind !== "env" || given.has("PRESTO_TOKEN") || given.has("PRESTO_TOKEN_FILE")) {
    return [];
  }
  return [
    problem(
      "PRESTO_TOKEN_FILE",
      "PRESTO_STORE is env: and there is no token: neither this nor PRESTO_TOKEN is set (an empty one counts as not set)",
    ),
  ];
}

/** A sealed store needs its key. */
export function storeRules({ values, given }: CleanVariables): ConfigProblem[] {
  return values.PRESTO_STORE?.kind === "file" ? keyRules(given, "PRESTO_STORE") : [];
}

/** Where credentials may lie, and that they are not there twice. */
export function credentialRules({ values, given }: CleanVariables): ConfigProblem[] {
  const address = values.PRESTO_CREDENTIALS;
  const problems: ConfigProblem[] = [];
  if (given.has("PRESTO_CREDENTIALS")) {
    const others = credentialNames.filter((name) => name !== "PRESTO_CREDENTIALS" && given.has(name));
    if (others.length > 0) {
      problems.push(
        problem(
          "PRESTO_CREDENTIALS",
          `is given beside ${others.join(", ")}; the account comes from one place only`,
        ),
      );
    }
  }
  const store = values.PRESTO_STORE;
  if (address !== undefined && store?.kind === "file") {
    const taken = new Set(filesOf(posix.normalize(store.path)));
    if (filesOf(posix.normalize(address.path)).some((path) => taken.has(path))) {
      problems.push(
        problem(
          "PRESTO_CREDENTIALS",
          "names the file of PRESTO_STORE, or one that stands beside it (its name and .lock, .write-lock or -holder); give it a file of its own",
        ),
      );
    }
  }
  // A sealed store has asked for the same key already.
  const asked = store?.kind === "file";
  return address === undefined || asked ? problems : [...problems, ...keyRules(given, "PRESTO_CREDENTIALS")];
}

function keyRules(
  given: CleanVariables["given"],
  of: "PRESTO_STORE" | "PRESTO_CREDENTIALS",
): ConfigProblem[] {
  if (given.has("PRESTO_STORE_KEY") || given.has("PRESTO_STORE_KEY_FILE")) return [];
  return [
    problem(
      "PRESTO_STORE_KEY_FILE",
      `${of} is file: and there is no key: neither this nor PRESTO_STORE_KEY is set (an empty one counts as not set)`,
    ),
  ];
}
