import { exampleOf } from "./clean.ts";
import type { ConfigProblem } from "./report.ts";
import { isVariableName, variableNames, type VariableName } from "./variables.ts";

/**
 * Names that Kubernetes puts into every container for a Service called `presto` or
 * `presto-…` (kubernetes/kubernetes pkg/kubelet/envvars): nobody's spelling mistake.
 */
const serviceName =
  /^PRESTO_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Names in the environment that this version does not know. Their values are never looked at. */
export function findStrangeNames(env: NodeJS.ProcessEnv): ConfigProblem[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("PRESTO_") && !isVariableName(name) && !serviceName.test(name))
    .map(unknownName);
}

/** Names come from the environment as well: some would garble a terminal, or take long to compare. */
const longestName = 80;

function unknownName(name: string): ConfigProblem {
  const start = name.slice(0, longestName);
  const nearest = nearestName(start);
  return {
    variable: /^[A-Za-z0-9_]+$/.test(name) && name === start ? name : JSON.stringify(start),
    wrong: `there is no such variable; the nearest known one is ${nearest}`,
    example: exampleOf(nearest),
  };
}

function nearestName(name: string): VariableName {
  return variableNames.reduce((best, known) => (distance(name, known) < distance(name, best) ? known : best));
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 0; i < one.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const changed = (row[j] ?? 0) + (one[i] === other[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
