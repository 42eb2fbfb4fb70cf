import { formatListenAddress } from "../listen/address.ts";
import { isLocalAddress } from "./parse-listen.ts";
import type { ReadVariables, Values } from "./read.ts";
import { rowOf, type VariableName, variableNames } from "./variables.ts";

/** Sentences about what is allowed but odd. */
export function warnings({ values, given }: ReadVariables): string[] {
  return [
    ...(values.PRESTO_ROLE === "rotator" ? [] : servingWarnings(values)),
    ...(values.PRESTO_ROLE === "proxy" ? [] : issuingWarnings(values, given)),
    ...egressWarnings(values),
    ...auditWarnings(values),
    ...unusedByRole(values, given),
    ...unusedSecrets(values, given),
  ];
}

function servingWarnings(values: Values): string[] {
  const warnings = moneyWarnings(values);
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
  return warnings;
}

function egressWarnings(values: Values): string[] {
  const { PRESTO_EGRESS_IPS: ips, PRESTO_EGRESS_CHECK_URL: urls } = values;
  if (ips !== undefined && urls === undefined) {
    return [
      "PRESTO_EGRESS_IPS is set without PRESTO_EGRESS_CHECK_URL: nobody tells which address calls leave from, so it is compared with nothing.",
    ];
  }
  return [];
}

function moneyWarnings({ PRESTO_SETTLE: settle, PRESTO_SETTLE_OUTCOMES: outcomes }: Values): string[] {
  if (settle === undefined || outcomes === undefined || outcomes > settle) return [];
  return [
    "PRESTO_SETTLE_OUTCOMES is no longer than PRESTO_SETTLE: nobody asks any more when failed could be believed, so no unclear call that moves money is ever free again by itself.",
  ];
}

function auditWarnings({ PRESTO_AUDIT: place, PRESTO_AUDIT_FULL: full }: Values): string[] {
  if (place === undefined || place === "off") return [];
  return [
    ...(place.kind === "stdout"
      ? [
          "PRESTO_AUDIT is stdout: nothing makes sure that its lines are kept, and a start does not know what was under way at the last end. Use file:/path where that counts.",
        ]
      : []),
    ...(full === "continue"
      ? [
          "PRESTO_AUDIT_FULL is continue: calls that move money are sent also while the record can't be written.",
        ]
      : []),
  ];
}

function issuingWarnings(values: Values, given: ReadonlySet<VariableName>): string[] {
  const warnings: string[] = [];
  if (values.PRESTO_SETTLE === 0) {
    warnings.push(
      "PRESTO_SETTLE is 0s: after a call whose end is not known the next one is not put off, and if Presto executes the first one late, it kills the newer token.",
    );
  }
  if (values.PRESTO_RENEW === "manual") {
    const idle = namesOf(given, ["PRESTO_RENEW_AT", "PRESTO_RENEW_WINDOW"]);
    if (idle !== undefined) {
      warnings.push(`${idle} set, but PRESTO_RENEW is manual: no token is renewed by plan.`);
    }
  }
  return warnings;
}

/** What does nothing in the chosen role. Whoever set it may believe that it does. */
function unusedByRole(values: Values, given: ReadonlySet<VariableName>): string[] {
  const role = values.PRESTO_ROLE;
  if (role === undefined || role === "all") return [];
  const other = role === "proxy" ? "issuing" : "serving";
  const unused = namesOf(
    given,
    variableNames.filter((name) => rowOf(name).onlyFor === other),
  );
  if (unused === undefined) return [];
  const what = role === "proxy" ? "issues no tokens" : "serves no calls";
  return [
    `${unused} set, but the role ${role} ${what} and does not use ${unused.endsWith("are") ? "them; take them" : "it; take it"} away.`,
  ];
}

/** `A is`, `A and B are`, `A, B and C are`; undefined where none was given. */
function namesOf(given: ReadonlySet<VariableName>, names: readonly VariableName[]): string | undefined {
  const found = names.filter((name) => given.has(name));
  const last = found.at(-1);
  if (last === undefined) return undefined;
  return found.length === 1 ? `${last} is` : `${found.slice(0, -1).join(", ")} and ${last} are`;
}

function unusedSecrets(values: Values, given: ReadonlySet<VariableName>): string[] {
  const store = values.PRESTO_STORE;
  if (store === undefined) return [];
  const unused: VariableName[] = store.takesToken ? [] : ["PRESTO_TOKEN", "PRESTO_TOKEN_FILE"];
  if (store.sealing === "never" && values.PRESTO_CREDENTIALS === undefined) {
    unused.push("PRESTO_STORE_KEY", "PRESTO_STORE_KEY_FILE");
  }
  return unused
    .filter((name) => given.has(name))
    .map(
      (name) => `${name} is set, but PRESTO_STORE is ${store.kind}:, which does not use it; take it away.`,
    );
}
