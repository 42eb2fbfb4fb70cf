import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Runs of each target, interleaved; medians are printed. */
  readonly runs: number;
  /** Seconds of load at each number of connections. */
  readonly seconds: number;
  /** Numbers of connections. */
  readonly connections: readonly number[];
  /** Names of the targets to run; empty: all. */
  readonly targets: readonly string[];
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
  /** Put the tables into docs/performance.md? */
  readonly docs: boolean;
  /** Flags for the Node that runs the sidecar. */
  readonly nodeFlags: readonly string[];
  /** Minutes of load on the sidecar alone, to see whether its memory stays flat; 0 for none. */
  readonly soakMinutes: number;
  /** May missing programs be installed? */
  readonly install: boolean;
}

export const help = `npm run bench -- [options]
  --runs N            runs of each target, interleaved (5)
  --seconds N         seconds of load at each number of connections (4)
  --quick             one run of one second each: does it work at all?
  --targets a,b       only these: sidecar, sidecar-info, sidecar-bound, stock, floor, envoy, nginx
  --json FILE         write the figures there too
  --docs              put the tables into docs/performance.md
  --node-flags "..."  flags for the Node that runs the sidecar
  --soak MINUTES      then load the sidecar alone for so long, and tell its memory
  --no-install        use only the programs that are here
  --help
`;

/** Reads the command line; undefined where only help was asked for. Throws on what it does not know. */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      runs: { type: "string", default: "5" },
      seconds: { type: "string", default: "4" },
      quick: { type: "boolean", default: false },
      targets: { type: "string", default: "" },
      json: { type: "string" },
      docs: { type: "boolean", default: false },
      "node-flags": { type: "string", default: "" },
      soak: { type: "string" },
      "no-install": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    runs: values.quick ? 1 : positive("--runs", values.runs),
    seconds: values.quick ? 1 : positive("--seconds", values.seconds),
    connections: [1, 32, 128],
    targets: words(values.targets, ","),
    json: values.json,
    docs: values.docs,
    nodeFlags: words(values["node-flags"], " "),
    soakMinutes: values.soak === undefined ? 0 : positive("--soak", values.soak),
    install: !values["no-install"],
  };
}

function words(text: string, separator: string): readonly string[] {
  return text.split(separator).filter((word) => word !== "");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 600) return value;
  throw new Error(`${name} wants a whole number from 1 to 600, not "${text}".`);
}
