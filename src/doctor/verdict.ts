import { exitCodes } from "../errors.ts";
import type { FailMeaning, Finding } from "./finding.ts";

/**
 * Which failure the exit code tells, where there are several: a wrong configuration can be the
 * cause of all the others, what Presto has refused explains why it can't be reached, and a token
 * that is not there is the least of them.
 */
export const precedence: readonly FailMeaning[] = ["configuration", "refused", "unreachable", "no-token"];

/** 0 where nothing fails. */
export function exitCodeOf(findings: readonly Finding[]): number {
  const meanings = new Set(findings.flatMap((found) => (found.result === "FAIL" ? [found.meaning] : [])));
  const worst = precedence.find((meaning) => meanings.has(meaning));
  return worst === undefined ? 0 : exitCodes[worst];
}
