/**
 * Tells whoever listens that something has happened. Each folder has a union of the events that it
 * emits, told apart by `type`; what emits a few of them is content with whatever takes more.
 */
export type Emit<E extends { readonly type: string }> = (event: E) => void;

/** Something that an operator should read, in one sentence. */
export interface Warning {
  readonly type: "warning";
  readonly message: string;
  /** For the log: an error, in its own words. */
  readonly cause?: unknown;
}

/** Where nobody listens: for commands that run a part of the program and report by themselves. */
export function ignore(): void {}
