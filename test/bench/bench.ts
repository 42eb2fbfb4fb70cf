import type { Figures } from "./figures.ts";
import type { BenchOptions } from "./options.ts";
import type { Stage } from "./stage.ts";

/** What every section works with. */
export interface Bench {
  readonly stage: Stage;
  readonly options: BenchOptions;
  readonly figures: Figures;
  /** Why a target is out, or a part of it: by its name, or `NAME in PART`. */
  readonly failed: Map<string, string>;
}

/** To whoever waits: the table alone goes to standard output. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** What failed: a whole target, or one part of the table (its figures' names begin with that). */
export interface Attempted {
  readonly name: string;
  readonly part?: string;
}

/** Does its work for a target; what fails once is out from then on, with the figures that it had shown. */
export async function attempt(
  bench: Bench,
  { name, part }: Attempted,
  work: () => Promise<void>,
): Promise<void> {
  const what = part === undefined ? name : `${name} in ${part}`;
  if (bench.failed.has(name) || bench.failed.has(what)) return;
  try {
    await work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    bench.failed.set(what, why);
    bench.figures.forget(name, part);
    tell(`${what} failed: ${why}`);
  }
}
