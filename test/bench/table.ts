import { type Figures, median, ratio, spread } from "./figures.ts";

/** A limit for the sidecar: of the value itself, or of its ratio to a peer's. */
export interface Goal {
  readonly limit: number;
  readonly of?: "envoy" | "floor" | "unbound";
}

/** One row of the table: less is better in all of them. */
export interface Row {
  readonly label: string;
  readonly figure: string;
  readonly digits: number;
  readonly goals?: readonly Goal[];
  /** Measured on this variant of the sidecar, and compared with what the peers show without one. */
  readonly variant?: "-info" | "-traced" | "-bound";
  /** The values of all rounds differ in kind, not by noise alone: the least and the most are shown as well. */
  readonly spread?: true;
}

const silenceRows = (silences: readonly number[]): readonly Row[] =>
  (["query", "confirm"] as const).flatMap((kind) =>
    ["start", ...silences.map(String)].map((silence) => ({
      label: `a lone ${kind} after ${silence === "start" ? "the start" : `${silence} s of silence`}, round trips`,
      figure: `silence ${silence}-${kind}`,
      digits: 1,
      // While a spare stands ready. Half a round trip is for the processor's share.
      ...(silence === "start" || Number(silence) <= 300 ? { goals: [{ limit: 1.5 }] } : {}),
    })),
  );

export function tableRows(silences: readonly number[]): readonly Row[] {
  const envoy = (limit: number): Goal => ({ limit, of: "envoy" });
  const floor = (limit: number): Goal => ({ limit, of: "floor" });
  return [
    { label: "CPU a call, one connection, µs", figure: "get-1 cpu-us", digits: 1, goals: [envoy(0.9)] },
    {
      label: "CPU a call, 32 connections, µs",
      figure: "get-32 cpu-us",
      digits: 1,
      goals: [envoy(0.75), floor(1)],
    },
    { label: "CPU a call, 128 connections, µs", figure: "get-128 cpu-us", digits: 1, goals: [envoy(0.9)] },
    { label: "CPU a call, POST at 32, µs", figure: "post-32 cpu-us", digits: 1, goals: [envoy(0.85)] },
    {
      label: "CPU a call, log level info at 32, µs",
      figure: "get-32 cpu-us",
      digits: 1,
      variant: "-info",
      goals: [envoy(0.8)],
    },
    {
      label: "CPU a call, with spans sent to a collector at 32, µs",
      figure: "get-32 cpu-us",
      digits: 1,
      variant: "-traced",
    },
    {
      label: "CPU a call, bound to an address at 32, µs",
      figure: "get-32 cpu-us",
      digits: 1,
      variant: "-bound",
      // As near to 1 as a shared machine can tell: the address is bound once a connection, not once a call.
      goals: [{ limit: 1.05, of: "unbound" }],
    },
    {
      label: "CPU a call, no keep-alive, 32 callers, µs",
      figure: "close-32 cpu-us",
      digits: 1,
      goals: [envoy(0.85)],
    },
    { label: "calls a second, 32 connections", figure: "get-32 per-second", digits: 0 },
    { label: "p50, one connection, µs", figure: "get-1 p50-us", digits: 0 },
    { label: "p50, 32 connections, µs", figure: "get-32 p50-us", digits: 0 },
    {
      label: "p99 warm, 128 connections, ms",
      figure: "get-128 p99-ms",
      digits: 1,
      spread: true,
      goals: [floor(1)],
    },
    { label: "the longest of these, ms", figure: "get-128 longest-ms", digits: 0, spread: true },
    {
      label: "128 at once, cold: first answer, ms",
      figure: "burst cold-first-ms",
      digits: 1,
      goals: [envoy(1)],
    },
    {
      label: "128 at once, cold: last answer, ms",
      figure: "burst cold-last-ms",
      digits: 1,
      goals: [envoy(1)],
    },
    { label: "128 at once, warm: first answer, ms", figure: "burst warm-first-ms", digits: 1 },
    { label: "128 at once, warm: last answer, ms", figure: "burst warm-last-ms", digits: 1 },
    ...silenceRows(silences),
    { label: "resident at rest, MiB", figure: "start rest-mib", digits: 1, goals: [{ limit: 72 }] },
    { label: "resident after load, MiB", figure: "load after-mib", digits: 1, goals: [{ limit: 125 }] },
    { label: "the most under load, MiB", figure: "load most-mib", digits: 1 },
    {
      label: "soak: resident after each minute, MiB",
      figure: "soak resident-mib",
      digits: 1,
      spread: true,
    },
    { label: "soak: its growth, times", figure: "soak growth", digits: 2, goals: [{ limit: 1.05 }] },
    { label: "exec to ready, ms", figure: "start ready-ms", digits: 0, goals: [{ limit: 150 }] },
    { label: "healthcheck, ms", figure: "start healthcheck-ms", digits: 1, goals: [{ limit: 45 }] },
  ];
}

/** A goal, and what was reached; `met` undefined where what it speaks of was not measured. */
export interface Judged {
  readonly limit: string;
  readonly met: boolean | undefined;
}

/** The values of a row: a variant's are kept under the variant's own name, a peer has none. */
export function rowValues(figures: Figures, row: Row, target: string): readonly (number | undefined)[] {
  return figures.values(row.figure, `${target}${row.variant ?? ""}`);
}

/** By how much the sidecar's is more than another's, which may be another build of it. */
export function rowRatio(figures: Figures, row: Row, other: string): number | undefined {
  const own = rowValues(figures, row, "sidecar");
  const others = rowValues(figures, row, other);
  return ratio(own, others.length > 0 ? others : figures.values(row.figure, other));
}

export function judge(figures: Figures, row: Row): readonly Judged[] {
  return (row.goals ?? []).map(({ limit, of }) => {
    const value =
      of === undefined
        ? median(rowValues(figures, row, "sidecar"))
        : of === "unbound"
          ? ratio(rowValues(figures, row, "sidecar"), figures.values(row.figure, "sidecar"))
          : rowRatio(figures, row, of);
    return {
      limit: `≤ ${limit}${of === undefined ? "" : ` × ${of}`}`,
      met: value === undefined ? undefined : value <= limit,
    };
  });
}

/** `12.3`, or with its spread `12.3 (9.8–139.0)`. */
export function formatValues(row: Row, values: readonly (number | undefined)[]): string {
  const middle = median(values);
  const ends = row.spread === true && values.length > 1 ? spread(values) : undefined;
  if (middle === undefined) return "";
  const text = middle.toFixed(row.digits);
  return ends === undefined ? text : `${text} (${ends.map((value) => value.toFixed(row.digits)).join("–")})`;
}
