import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { type CleanVariables, problem } from "./clean.ts";
import { isLocalAddress, isSameAddress } from "./listen-value.ts";
import { formatDuration } from "./quantities.ts";
import type { ConfigProblem } from "./report.ts";
import type { VariableName } from "./variables.ts";

// Rules between variables. A variable that was refused by itself has no value here, and is
// not told a second time; what can be judged without it is judged.

/** The upstream must be named. */
export function urlRules(clean: CleanVariables): ConfigProblem[] {
  return clean.given.has("PRESTO_URL") ? [] : [problem("PRESTO_URL", "is required and not set")];
}

/** Trusting one file alone needs the file. */
export function trustRules({ values, given }: CleanVariables): ConfigProblem[] {
  if (values.PRESTO_CA_ONLY !== true || given.has("PRESTO_CA_FILE")) return [];
  return [problem("PRESTO_CA_FILE", "PRESTO_CA_ONLY is yes, and this is not set; nobody could be trusted")];
}

/** Who can reach what, and no address twice. A role that serves nothing does not bind PRESTO_LISTEN. */
export function listenRules({ values }: CleanVariables): ConfigProblem[] {
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
