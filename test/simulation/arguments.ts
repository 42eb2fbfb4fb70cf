import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface SimulationArguments {
  /** First seed, and how many. */
  readonly from: number;
  readonly count: number;
  /** Print what happened, not only what came of it. */
  readonly isTold: boolean;
  /** Name of a deliberate fault that is put into the program first. */
  readonly fault: string | undefined;
  /** Find every deliberate fault. */
  readonly prove: boolean;
  /** Where the table of the proof is written, if anywhere. */
  readonly docs: string | undefined;
  readonly workers: number;
}

export const usage = `Plays seeded worlds against the token path, and checks what must hold in each.

  --seeds N     how many (1000)
  --from S      the first one (1)
  --seed S      only this one
  --story       print what happened in each, line by line
  --fault NAME  put a deliberate fault in first, and stop at the first seed that finds it
  --prove       do that with every deliberate fault, or the one of --fault, and say which seeds found each
  --docs FILE   with --prove: write the table between the marks in this file
  --workers N   threads (2)
`;

/** @throws TypeError or RangeError, in words for whoever typed it */
export function parseSimulationArguments(argv: readonly string[]): SimulationArguments | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seeds: { type: "string" },
      from: { type: "string" },
      seed: { type: "string" },
      story: { type: "boolean", default: false },
      fault: { type: "string" },
      prove: { type: "boolean", default: false },
      docs: { type: "string" },
      workers: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const one = values.seed === undefined ? undefined : wholeNumber("--seed", values.seed);
  return {
    from: one ?? wholeNumber("--from", values.from ?? "1"),
    count: one === undefined ? wholeNumber("--seeds", values.seeds ?? "1000") : 1,
    isTold: values.story,
    fault: values.fault,
    prove: values.prove,
    docs: values.docs,
    workers: Math.max(1, wholeNumber("--workers", values.workers ?? "2")),
  };
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new RangeError(`${name} must be a whole number, not ${text}`);
  return Number(text);
}
