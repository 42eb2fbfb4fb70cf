/**
 * Errors that end a command, each with the exit code it ends with. The codes are those of
 * BSD's sysexits where they fit; scripts and Kubernetes rely on them, so they never change.
 */
export const exitCodes = {
  unexpected: 1,
  usage: 64,
  "input-refused": 65,
  "no-token": 66,
  unreachable: 69,
  "system-refused": 71,
  "try-again": 75,
  refused: 77,
  configuration: 78,
} as const;

/** Literal code of an error that ends a command. */
export type FailureCode = keyof typeof exitCodes;

/**
 * A command that can't go on. The message is for people and never holds a secret:
 * it says what is wrong, and then what to do.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** The system's own code of an error (`ENOENT`, `ECONNREFUSED`…), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
