import { formatListenAddress, type ListenAddress } from "../listen/listen-address.ts";
import { exampleOf, type CleanVariables } from "./clean.ts";
import { isLocalAddress, isSameAddress } from "./listen-value.ts";
import { formatDuration } from "./quantities.ts";
import type { ConfigProblem } from "./report.ts";
import type { VariableName } from "./variables.ts";

// Rules between variables. A variable that was refused by itself has no value here, and is
// not told a second time; what can be judged without it is judged.

function problem(variable: VariableName, wrong: string): ConfigProblem {
  return { variable, wrong, example: exampleOf(variable) };
}

/** The upstream must be named. */
export function urlRules(clean: CleanVariables): ConfigProblem[] {
  return clean.given.has("PRESTO_URL") ? [] : [problem("PRESTO_URL", "is required and not set")];
}

/** A secret comes by value or by file, and the chosen store needs its own. */
export function storeRules({ values, given }: CleanVariables): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [byValue, byFile] of [
    ["PRESTO_TOKEN", "PRESTO_TOKEN_FILE"],
    ["PRESTO_STORE_KEY", "PRESTO_STORE_KEY_FILE"],
  ] as const) {
    if (given.has(byValue) && given.has(byFile))
      problems.push(problem(byFile, `is given beside ${byValue}; only one of the two can be`));
  }
  if (values.PRESTO_STORE?.kind === "env" && !given.has("PRESTO_TOKEN") && !given.has("PRESTO_TOKEN_FILE")) {
    problems.push(
      problem(
        "PRESTO_TOKEN_FILE",
        "PRESTO_STORE is env: and there is no token: neither this nor PRESTO_TOKEN is set (an empty one counts as not set)",
      ),
    );
  }
  if (
    values.PRESTO_STORE?.kind === "file" &&
    !given.has("PRESTO_STORE_KEY") &&
    !given.has("PRESTO_STORE_KEY_FILE")
  ) {
    problems.push(
      problem(
        "PRESTO_STORE_KEY_FILE",
        "PRESTO_STORE is file: and there is no key: neither this nor PRESTO_STORE_KEY is set (an empty one counts as not set)",
      ),
    );
  }
  return problems;
}

/** Trusting one file alone needs the file. */
export function trustRules({ values, given }: CleanVariables): ConfigProblem[] {
  if (values.PRESTO_CA_ONLY !== true || given.has("PRESTO_CA_FILE")) return [];
  return [problem("PRESTO_CA_FILE", "PRESTO_CA_ONLY is yes, and this is not set; nobody could be trusted")];
}

/** Who can reach what, and no address twice. */
export function listenRules({ values }: CleanVariables): ConfigProblem[] {
  const control = values.PRESTO_CONTROL_LISTEN;
  const listeners: readonly (readonly [VariableName, readonly ListenAddress[]])[] = [
    ["PRESTO_LISTEN", values.PRESTO_LISTEN ?? []],
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
  const where = formatListenAddress(address);
  if (name === "PRESTO_CONTROL_LISTEN")
    return `${where} can be reached from elsewhere; only loopback, a Unix socket or off will do here`;
  if (name !== "PRESTO_LISTEN" || anywhere) return undefined;
  return `${where} can be reached from elsewhere, and whoever reaches it can spend money; only loopback or a Unix socket will do (unless PRESTO_UNSAFE_LISTEN_ANYWHERE=yes)`;
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
export function timeRules({ values }: CleanVariables): ConfigProblem[] {
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

/** Sentences about what is allowed but odd. */
export function oddities({ values, given }: CleanVariables): string[] {
  const warnings: string[] = [];
  const {
    PRESTO_TIMEOUT: timeout,
    PRESTO_DRAIN_MAX: drainMax,
    PRESTO_MAX_BODY: maxBody,
    PRESTO_MAX_BUFFERED: maxBuffered,
  } = values;
  for (const address of values.PRESTO_LISTEN ?? []) {
    if (isLocalAddress(address)) continue;
    warnings.push(
      `PRESTO_LISTEN: whoever reaches ${formatListenAddress(address)} can spend money; see to it that only your apps do.`,
    );
  }
  if (timeout !== undefined && drainMax !== undefined && timeout > drainMax) {
    warnings.push(
      "PRESTO_TIMEOUT is longer than PRESTO_DRAIN_MAX: a rollout may cut off a call that is under way.",
    );
  }
  if (maxBody !== undefined && maxBuffered !== undefined && maxBody > maxBuffered) {
    warnings.push(
      "PRESTO_MAX_BODY is more than PRESTO_MAX_BUFFERED: bodies between the two are never accepted.",
    );
  }
  warnings.push(...unusedSecrets(values.PRESTO_STORE?.kind, given));
  return warnings;
}

function unusedSecrets(store: "env" | "file" | undefined, given: ReadonlySet<VariableName>): string[] {
  const unused: readonly VariableName[] =
    store === "file"
      ? ["PRESTO_TOKEN", "PRESTO_TOKEN_FILE"]
      : store === "env"
        ? ["PRESTO_STORE_KEY", "PRESTO_STORE_KEY_FILE"]
        : [];
  return unused
    .filter((name) => given.has(name))
    .map((name) => `${name} is set, but PRESTO_STORE is ${store}:, which does not use it; take it away.`);
}
