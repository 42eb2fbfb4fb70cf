import { setTimeout as pause } from "node:timers/promises";

import type { IssuingBench } from "./issuing-bench.ts";
import type { IssuingProgram, StartedProgram } from "./issuing-program.ts";
import { keepCalling } from "./keep-calling.ts";
import type { TimedCall } from "./keep-calling.ts";

export interface LoadOptions {
  /** `asked`: `POST /renew` each second. `due`: by the clock, with a `PRESTO_RENEW_AT` of a second or two. */
  readonly how: "asked" | "due";
  readonly seconds: number;
  readonly callers: number;
  /** Starts the sidecar in a process of its own; by the sources unless given. */
  readonly startWith?: (env: Readonly<Record<string, string | undefined>>) => StartedProgram;
}

/** Milliseconds, where nothing else is said. */
export interface LoadFigures {
  readonly how: LoadOptions["how"];
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly renewals: number;
  /** Median of the calls that no renewal overlaps. */
  readonly usual: number;
  /** Calls that overlap a renewal, and how much longer they took than that median. */
  readonly overlapping: number;
  readonly extraP50: number;
  readonly extraP99: number;
  readonly extraMost: number;
  /** How long a renewal took, from its reading to its end. */
  readonly renewalP50: number;
}

export interface LoadOutcome {
  readonly renewals: number;
  readonly figures: LoadFigures;
  /** Calls that were answered with anything but 200. */
  readonly failed: readonly TimedCall[];
}

/** Two seconds of 90 days. */
const everySecondOrTwo = "0.00000026";

/** Lets callers call through one sidecar whose token is renewed again and again. */
export async function loadWhileRenewed(bench: IssuingBench, options: LoadOptions): Promise<LoadOutcome> {
  const { how, seconds, callers, startWith } = options;
  const env = how === "due" ? { PRESTO_RENEW_AT: everySecondOrTwo } : {};
  const sidecar = await bench.serve(env, startWith);
  const calling = keepCalling({ port: sidecar.port, callers, thinkMs: 50 });
  const startedAt = performance.now();
  for (let second = 1; second <= seconds; second += 1) {
    if (how === "asked") {
      const { status } = await sidecar.renew();
      if (status !== 200) throw new Error(`POST /renew was answered with ${status}`);
    }
    await pause(Math.max(0, startedAt + second * 1_000 - performance.now()));
  }
  await calling.stop();
  const took = (performance.now() - startedAt) / 1_000;
  await settled(bench, sidecar);
  return outcome(how, calling.calls, spansOf(sidecar), took);
}

/** Stops the sidecar where no renewal is under way, so that what it made can be counted. */
async function settled(bench: IssuingBench, sidecar: IssuingProgram): Promise<void> {
  sidecar.kill("SIGTERM");
  await sidecar.ended;
  if ((await bench.record()).intent !== null) throw new Error("the drain left an intent behind");
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** When each renewal was under way, by the sidecar's own log: it runs on this machine's clock. */
function spansOf(sidecar: IssuingProgram): readonly Span[] {
  const spans: Span[] = [];
  let from = Number.NaN;
  for (const line of sidecar.lines()) {
    const at = Date.parse(String(line["time"])) - performance.timeOrigin;
    if (line["from"] === "idle" && line["to"] === "reading") from = at;
    // The log tells whole milliseconds.
    if (line["end"] === "renewed") spans.push({ from, to: at + 1 });
  }
  return spans;
}

function outcome(
  how: LoadOptions["how"],
  calls: readonly TimedCall[],
  spans: readonly Span[],
  seconds: number,
): LoadOutcome {
  const overlaps = (call: TimedCall): boolean =>
    spans.some(({ from, to }) => call.startedAt < to && call.endedAt > from);
  const timeOf = ({ startedAt, endedAt }: TimedCall): number => endedAt - startedAt;
  const usual = quantile(calls.filter((call) => !overlaps(call)).map(timeOf), 0.5);
  const extra = calls.filter(overlaps).map((call) => timeOf(call) - usual);
  return {
    renewals: spans.length,
    failed: calls.filter(({ status }) => status !== 200),
    figures: {
      how,
      calls: calls.length,
      callsPerSecond: calls.length / seconds,
      renewals: spans.length,
      usual,
      overlapping: extra.length,
      extraP50: quantile(extra, 0.5),
      extraP99: quantile(extra, 0.99),
      extraMost: quantile(extra, 1),
      renewalP50: quantile(
        spans.map(({ from, to }) => to - from),
        0.5,
      ),
    },
  };
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Lines for people. */
export function formatLoad(figures: LoadFigures): string {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const why = figures.how === "asked" ? "asked for every second" : "due every second or two";
  return [
    `Renewals ${why}: ${figures.renewals}, each ${ms(figures.renewalP50)} (median).`,
    `  ${figures.calls} calls, ${Math.round(figures.callsPerSecond)} a second; one beside no renewal took ${ms(figures.usual)} (median).`,
    `  ${figures.overlapping} overlapped a renewal; extra wait p50 ${ms(figures.extraP50)}, p99 ${ms(figures.extraP99)}, most ${ms(figures.extraMost)}.`,
    "",
  ].join("\n");
}
