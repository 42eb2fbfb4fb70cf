import { parseArgs } from "node:util";

import { loads } from "./load.ts";

/** The parts of the table, each of which can be had alone. */
export const sections = ["start", "load", "burst", "silence", "soak"] as const;
export type Section = (typeof sections)[number];

const loadNames = Object.values(loads).map(({ name }) => name);

export interface BenchOptions {
  readonly only: readonly Section[];
  /** Rounds in which all targets take their turn; medians are printed. */
  readonly rounds: number;
  /** Seconds of each load. */
  readonly seconds: number;
  /** Names of the loads. */
  readonly loads: readonly string[];
  /** Seconds without a call, one silence after the other. */
  readonly silences: readonly number[];
  readonly soakMinutes: number;
  /** Names of the targets to run; empty: those of the table. */
  readonly targets: readonly string[];
  /** Other builds of this program to measure beside it. */
  readonly against: readonly string[];
  /** Flags for the Node that runs the sidecar. */
  readonly nodeFlags: readonly string[];
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
  /** Put the table into docs/performance.md? */
  readonly docs: boolean;
  /** May missing programs be installed? */
  readonly install: boolean;
}

export const help = `npm run bench -- [options]
  --only a,b          only these parts: ${sections.join(", ")}
  --quick             does it work? start, load and burst, one round, one second a load
  --rounds N          rounds, in each of which every target takes its turn (7)
  --seconds N         seconds of each load (2)
  --loads a,b         only these loads: ${loadNames.join(", ")}
  --silences a,b      seconds without a call (5,30,120)
  --soak-minutes N    (10)
  --targets a,b       only these: sidecar, sidecar-info, sidecar-traced, against, against-info, envoy,
                      stock, floor, and on demand sidecar-bound, against-bound, against-traced, nginx
  --against PATH      another build (a folder dist) beside it; may be said again
  --node-flags "..."  flags for the Node that runs the sidecar
  --json FILE         write every figure of every round there too
  --docs              put the table into docs/performance.md
  --no-install        use only the programs that are here
  --help
`;

/** Reads the command line; undefined where only help was asked for. Throws on what it does not know. */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      loads: { type: "string" },
      silences: { type: "string", default: "5,30,120" },
      "soak-minutes": { type: "string", default: "10" },
      targets: { type: "string", default: "" },
      against: { type: "string", multiple: true, default: [] },
      "node-flags": { type: "string", default: "" },
      json: { type: "string" },
      docs: { type: "boolean", default: false },
      "no-install": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  return {
    only: choose("--only", sections, values.only ?? (quick ? "start,load,burst" : sections.join(","))),
    rounds: positive("--rounds", values.rounds ?? (quick ? "1" : "7")),
    seconds: positive("--seconds", values.seconds ?? (quick ? "1" : "2")),
    loads: choose("--loads", loadNames, values.loads ?? loadNames.join(",")),
    silences: words(values.silences, ",").map((word) => positive("--silences", word)),
    soakMinutes: positive("--soak-minutes", values["soak-minutes"]),
    targets: words(values.targets, ","),
    against: values.against,
    nodeFlags: words(values["node-flags"], " "),
    json: values.json,
    docs: values.docs,
    install: !values["no-install"],
  };
}

function choose<Word extends string>(name: string, all: readonly Word[], text: string): readonly Word[] {
  const wanted = words(text, ",");
  const unknown = wanted.filter((word) => !all.some((known) => known === word));
  if (unknown.length > 0 || wanted.length === 0) {
    throw new Error(`${name} wants some of ${all.join(", ")}, not "${text}".`);
  }
  return all.filter((word) => wanted.includes(word));
}

function words(text: string, separator: string): readonly string[] {
  return text.split(separator).filter((word) => word !== "");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 600) return value;
  throw new Error(`${name} wants a whole number from 1 to 600, not "${text}".`);
}
