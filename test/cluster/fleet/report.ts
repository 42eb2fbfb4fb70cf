import { type CallEnd, callEnds, type NotedCall } from "../../support/caller-log.ts";
import type { IssueCall } from "./ledger.ts";

/** How long calls took, milliseconds. */
export interface CallTimes {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/** What a run came to. */
export interface FleetStory {
  readonly store: string;
  readonly seed: number;
  readonly peace: CallTimes & {
    readonly failed: number;
    readonly renewals: number;
    /** For so long the process that plays callers, network and Presto did nothing: each time is too long by as much. */
    readonly stoodStillMs: number;
  };
  readonly struck: CallTimes;
  readonly ends: Readonly<Record<CallEnd, number>>;
  readonly strikes: readonly string[];
  readonly issueCalls: number;
  readonly wishes: number;
  /** Pairs of calls that might both still be executed, after a stop past the lease. */
  readonly excusedOverlaps: number;
  /** Milliseconds from the end of the last fault; undefined where only the alarm was there. */
  readonly convergedMs: number;
  readonly alarm: boolean;
  readonly generation: number;
  readonly problems: readonly string[];
}

/** How long they took. */
export function timesOf(calls: readonly NotedCall[]): CallTimes {
  const sorted = calls.map(tookMs).toSorted((one, other) => one - other);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  return { calls: sorted.length, p50: at(0.5), p99: at(0.99), longest: at(1) };
}

/** The call that took longest, and which renewals it met. */
export function longestOf(calls: readonly NotedCall[], issues: readonly IssueCall[]): string {
  const [longest] = calls.toSorted((one, other) => tookMs(other) - tookMs(one));
  if (longest === undefined) return "there was no call";
  const met = issues
    .filter(({ cameAt }) => cameAt > longest.begunAt - 1_000 && cameAt < longest.endedAt + 1_000)
    .map(({ by, cameAt }) => `${by}'s after ${Math.round(cameAt - longest.begunAt)} ms`);
  return `a call (${longest.kind}) took ${Math.round(tookMs(longest))} ms; issue calls about it: ${met.join(", ") || "none"}`;
}

function tookMs({ begunAt, endedAt }: NotedCall): number {
  return endedAt - begunAt;
}

/** Those that were not served, by how they ended. */
export function failuresOf(calls: readonly NotedCall[]): string {
  const counts = new Map<string, number>();
  for (const { kind, end, status, code } of calls.filter((call) => call.end !== "served")) {
    const how = `${kind} ${end} ${status} ${code}`.trim();
    counts.set(how, (counts.get(how) ?? 0) + 1);
  }
  return [...counts].map(([how, times]) => `${times} × ${how}`).join(", ");
}

/** The figures of a run, as text. */
export function reportOf(story: FleetStory): string {
  const { peace, struck, ends } = story;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const row = (name: string, value: string | number): string => `  ${name.padEnd(46)} ${value}`;
  const times = ({ calls, p50, p99, longest }: CallTimes): string =>
    `${calls} calls, p50 ${ms(p50)}, p99 ${ms(p99)}, longest ${ms(longest)}`;
  return [
    `a fleet over ${story.store}, seed ${story.seed}`,
    row("in peace", times(peace)),
    row("failed in peace", peace.failed),
    row("issue calls in peace", peace.renewals),
    row("the longest that the proof itself stood still", ms(peace.stoodStillMs)),
    row("under faults", times(struck)),
    ...callEnds.map((end) => row(`calls in all: ${end}`, ends[end])),
    row("faults", story.strikes.length),
    row("wishes, and issue calls", `${story.wishes}, ${story.issueCalls}`),
    row("overlaps after a stop past the lease", story.excusedOverlaps),
    row("from the last fault to one live token", ms(story.convergedMs)),
    row("the alarm was latched", story.alarm ? "yes, and ended by token renew --force" : "no"),
    row("generation at the end", story.generation),
    "",
  ].join("\n");
}
