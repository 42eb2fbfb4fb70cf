/**
 * The states of a renewal, as docs/renewal.md names them. `idle` is R0 and `clearing` R8; a
 * process is in one state at a time.
 */
export const renewalStates = [
  "idle",
  "reading",
  "probing",
  "intending",
  "settling",
  "checking",
  "issuing",
  "storing",
  "reconciling",
  "clearing",
  "stopped",
] as const;

export type RenewalState = (typeof renewalStates)[number];
