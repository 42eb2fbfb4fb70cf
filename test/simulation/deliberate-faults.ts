/** One place in the program, and what is to stand there instead. */
export interface Patch {
  /** Path under src/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A protection taken away on purpose, to see that the simulation notices. */
export interface DeliberateFault {
  readonly name: string;
  /** What is wrong with the program then, in one sentence. */
  readonly what: string;
  readonly patches: readonly Patch[];
  /** Found so seldom that it is looked for from this seed on: the one that taught it. */
  readonly from?: number;
}
