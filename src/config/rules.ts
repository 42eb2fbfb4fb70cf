import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { type Place, sharesAnObject } from "../store/open.ts";
import { faultOfControl, isLocalAddress, isSameAddress } from "./parse-listen.ts";
import { type ConfigProblem, formatDuration } from "./parse.ts";
import { problem, type ReadVariables } from "./read.ts";
import { rowOf, secretForms, type VariableName, variableNames } from "./variables.ts";
import { vaultRules } from "./vault.ts";

/** What a configuration is read for. Each reading asks for a part of the rules. */
export type Purpose = "start" | "read-store" | "write-store" | "write-credentials";

/**
 * A rule between variables. One that was refused by itself has no value here, and is not told a
 * second time; what can be checked without it is checked.
 */
interface Rule {
  readonly find: (read: ReadVariables, purpose: Purpose) => ConfigProblem[];
  /** Every purpose unless given. */
  readonly only?: readonly Purpose[];
}

/** What the rules find against a configuration, in the order in which they stand in the table below. */
export function checkRules(read: ReadVariables, purpose: Purpose): ConfigProblem[] {
  return rules.flatMap(({ find, only }) =>
    only === undefined || only.includes(purpose) ? find(read, purpose) : [],
  );
}

const rules: readonly Rule[] = [
  { find: urlRules, only: ["start"] },
  { find: proxyRules },
  { find: issuerRules, only: ["start"] },
  { find: formRules },
  // Whoever would write to a store that can only be read is told so instead.
  { find: tokenRules, only: ["start", "read-store"] },
  { find: storeRules },
  { find: lockRules },
  { find: credentialRules },
  { find: vaultRules },
  { find: trustRules },
  { find: listenRules, only: ["start"] },
  { find: timeRules, only: ["start"] },
];

/** The upstream must be named. */
function urlRules(read: ReadVariables): ConfigProblem[] {
  return read.given.has("PRESTO_URL") ? [] : [problem("PRESTO_URL", "is required and not set")];
}

/** Trusting one file alone needs the file. */
function trustRules({ values, given }: ReadVariables): ConfigProblem[] {
  if (values.PRESTO_CA_ONLY !== true || given.has("PRESTO_CA_FILE")) return [];
  return [problem("PRESTO_CA_FILE", "PRESTO_CA_ONLY is yes, and this is not set; nobody could be trusted")];
}

/** Who can reach what, and no address twice. A role that serves nothing does not bind PRESTO_LISTEN. */
function listenRules({ values }: ReadVariables): ConfigProblem[] {
  const control = values.PRESTO_CONTROL_LISTEN;
  const listeners: readonly (readonly [VariableName, readonly ListenAddress[]])[] = [
    ["PRESTO_LISTEN", values.PRESTO_ROLE === "rotator" ? [] : (values.PRESTO_LISTEN ?? [])],
    ["PRESTO_ADMIN_LISTEN", values.PRESTO_ADMIN_LISTEN === undefined ? [] : [values.PRESTO_ADMIN_LISTEN]],
    ["PRESTO_CONTROL_LISTEN", control === undefined || control === "off" ? [] : [control]],
  ];
  const problems: ConfigProblem[] = [];
  const before: (readonly [VariableName, ListenAddress])[] = [];
  for (const [name, addresses] of listeners) {
    for (const address of addresses) {
      const open = isLocalAddress(address)
        ? undefined
        : openTo(name, address, values.PRESTO_UNSAFE_LISTEN_ANYWHERE === true);
      if (open !== undefined) problems.push(problem(name, open));
      const taken = before.find(([, other]) => isSameAddress(address, other));
      if (taken !== undefined) problems.push(problem(name, twice(address, name, ...taken)));
      before.push([name, address]);
    }
  }
  return problems;
}

function openTo(name: VariableName, address: ListenAddress, anywhere: boolean): string | undefined {
  if (name === "PRESTO_CONTROL_LISTEN") return faultOfControl(address);
  if (name !== "PRESTO_LISTEN" || anywhere) return undefined;
  return `${formatListenAddress(address)} can be reached from elsewhere, and whoever reaches it can spend money; only loopback or a Unix socket will do (unless PRESTO_UNSAFE_LISTEN_ANYWHERE=yes)`;
}

function twice(
  address: ListenAddress,
  name: VariableName,
  otherName: VariableName,
  other: ListenAddress,
): string {
  const where = formatListenAddress(address);
  const otherWhere = formatListenAddress(other);
  const by = otherWhere === where ? otherName : `${otherWhere} of ${otherName}`;
  return `${where} is already taken by ${name === otherName && otherWhere === where ? "another entry of the list" : by}`;
}

/** Waits that must fit into one another. */
function timeRules({ values }: ReadVariables): ConfigProblem[] {
  const {
    PRESTO_TIMEOUT: timeout,
    PRESTO_HOLD_MAX: hold,
    PRESTO_DRAIN_MIN: min,
    PRESTO_DRAIN_MAX: max,
  } = values;
  const problems: ConfigProblem[] = [];
  if (hold !== undefined && timeout !== undefined && hold >= timeout) {
    problems.push(
      problem(
        "PRESTO_HOLD_MAX",
        `${formatDuration(hold)} leaves no time to send: it must be less than PRESTO_TIMEOUT, which is ${formatDuration(timeout)}`,
      ),
    );
  }
  if (min !== undefined && max !== undefined && min > max) {
    problems.push(
      problem(
        "PRESTO_DRAIN_MIN",
        `${formatDuration(min)} is more than PRESTO_DRAIN_MAX, which is ${formatDuration(max)}`,
      ),
    );
  }
  return problems;
}

const credentialNames = variableNames.filter((name) => rowOf(name).credential === true);

// What each role must have, and what it must not. A role that was refused decides nothing.

/** Does the role issue tokens? */
function issues({ values }: ReadVariables): boolean {
  return values.PRESTO_ROLE === "rotator" || values.PRESTO_ROLE === "all";
}

/** The role that can't issue holds no credentials: whoever breaks into it can then make no token. */
function proxyRules({ values, given }: ReadVariables, purpose: Purpose): ConfigProblem[] {
  if (values.PRESTO_ROLE !== "proxy") return [];
  // Whoever writes credentials by hand need not name a role: only one that is named can forbid them.
  if (purpose === "write-credentials" && !given.has("PRESTO_ROLE")) return [];
  return credentialNames
    .filter((name) => given.has(name))
    .map((variable) => ({
      variable,
      wrong: `the role proxy cannot issue tokens and must not hold the account's credentials; take them out of its environment (or set PRESTO_ROLE to a role that issues: all, rotator)`,
      example: `unset ${variable}`,
    }));
}

/** A role that issues needs an account to issue with, and a store that it can write to. */
function issuerRules(read: ReadVariables): ConfigProblem[] {
  const role = read.values.PRESTO_ROLE;
  if (role === undefined || !issues(read)) return [];
  const problems = accountRules(read, role);
  const store = read.values.PRESTO_STORE;
  if (store === undefined || store.canWrite) return problems;
  return [
    ...problems,
    problem(
      "PRESTO_STORE",
      `is ${store.kind}:, which can only be read, and the role ${role} has to store the tokens that it issues; name a file`,
    ),
  ];
}

function accountRules({ given }: ReadVariables, role: string): ConfigProblem[] {
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

// Rules about where secrets come from: the token, the key of what is sealed, the account, the egress proxy.

/** A secret comes by value or by file. */
function formRules({ given }: ReadVariables): ConfigProblem[] {
  return secretForms
    .filter(([byValue, byFile]) => given.has(byValue) && given.has(byFile))
    .map(([byValue, byFile]) => problem(byFile, `is given beside ${byValue}; only one of the two can be`));
}

/** A store that takes the token from the configuration must be given one. */
function tokenRules(read: ReadVariables, purpose: Purpose): ConfigProblem[] {
  const { values, given } = read;
  // A role that issues can't start with such a store at all, and has been told so.
  if (purpose === "start" && issues(read)) return [];
  const store = values.PRESTO_STORE;
  if (store?.takesToken !== true || given.has("PRESTO_TOKEN") || given.has("PRESTO_TOKEN_FILE")) return [];
  return [
    problem(
      "PRESTO_TOKEN_FILE",
      `PRESTO_STORE is ${store.kind}: and there is no token: neither this nor PRESTO_TOKEN is set (an empty one counts as not set)`,
    ),
  ];
}

/** A sealed store needs its key. */
function storeRules({ values, given }: ReadVariables): ConfigProblem[] {
  return keyRules(given, "PRESTO_STORE", values.PRESTO_STORE);
}

/** Which lock there can be beside which store. */
function lockRules({ values, given }: ReadVariables): ConfigProblem[] {
  const store = values.PRESTO_STORE;
  if (store === undefined || !given.has("PRESTO_LOCK")) return [];
  if (store.lock === undefined)
    return [
      problem("PRESTO_LOCK", `is given, and PRESTO_STORE is ${store.kind}:, where nothing is ever locked`),
    ];
  if (store.lock.kind !== "own") return [];
  return [
    problem(
      "PRESTO_LOCK",
      `is given, and PRESTO_STORE is ${store.kind}:, which has its own and takes no other`,
    ),
  ];
}

/** Where credentials may lie, and that they are not there twice. */
function credentialRules({ values, given }: ReadVariables): ConfigProblem[] {
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
  if (address !== undefined && store !== undefined && sharesAnObject(address, store)) {
    problems.push(problem("PRESTO_CREDENTIALS", store.shared));
  }
  // A sealed store has asked for the same key already.
  const asked = store?.sealing === "always";
  return asked ? problems : [...problems, ...keyRules(given, "PRESTO_CREDENTIALS", address)];
}

function keyRules(
  given: ReadVariables["given"],
  of: "PRESTO_STORE" | "PRESTO_CREDENTIALS",
  place: Place | undefined,
): ConfigProblem[] {
  if (place?.sealing !== "always") return [];
  if (given.has("PRESTO_STORE_KEY") || given.has("PRESTO_STORE_KEY_FILE")) return [];
  return [
    problem(
      "PRESTO_STORE_KEY_FILE",
      `${of} is ${place.kind}: and there is no key: neither this nor PRESTO_STORE_KEY is set (an empty one counts as not set)`,
    ),
  ];
}
