import { Readable } from "node:stream";

/** Standard input as a terminal gives it: what a person types, in the chunks given. */
export interface TypedInput extends Readable {
  readonly isTTY: true;
  setRawMode(on: boolean): void;
  /** Each switch of raw mode so far. */
  readonly modes: readonly boolean[];
}

export function typedInput(...typed: string[]): TypedInput {
  const modes: boolean[] = [];
  return Object.assign(Readable.from(typed.map((text) => Buffer.from(text))), {
    isTTY: true as const,
    setRawMode: (on: boolean) => void modes.push(on),
    modes,
  });
}
