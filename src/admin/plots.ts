import { dateText, relativeText } from "../lib/duration.ts";
import type { RecentMinute, RecentReport } from "../observe/recent.ts";
import { escape } from "./html.ts";

// Small plots of the last hour as SVG, which needs no script and no request. Colours come from the
// page's style by class; what a plot says is said in words as well, for whoever does not see it.

const plot = { width: 720, height: 160, left: 66, right: 8, top: 18, bottom: 24 } as const;
const inner = {
  width: plot.width - plot.left - plot.right,
  height: plot.height - plot.top - plot.bottom,
  bottom: plot.height - plot.bottom,
} as const;

/** From the bottom of a column to its top: what went well carries the rest. */
const stacked = ["answered", "not-sent", "unknown"] as const;

/** Calls a minute by outcome, as columns. */
export function callsPlot({ minutes, hour }: RecentReport): string {
  const most = niceMost(Math.max(...minutes.map(({ calls }) => sum(calls))));
  const column = inner.width / minutes.length;
  const columns = minutes.flatMap(({ calls }, index) => {
    let base = 0;
    return stacked.flatMap((outcome) => {
      const count = calls[outcome];
      if (count === 0) return [];
      const from = heightOf(base, most);
      base += count;
      // One that is unclear among thousands must be seen.
      const height = Math.max(heightOf(base, most) - from, 2);
      return [
        `<rect class="${outcome}" x="${at(plot.left + index * column + 0.75)}" y="${at(inner.bottom - from - height)}" width="${at(column - 1.5)}" height="${at(height)}"/>`,
      ];
    });
  });
  return figure({
    id: "calls",
    title: "Calls a minute, by outcome",
    words: callsWords(hour),
    legend: stacked.map((outcome) => [outcome, outcome.replace("-", " ")]),
    lines: [
      [heightOf(most, most), String(most)],
      [heightOf(most / 2, most), String(most / 2)],
    ],
    body: columns.join(""),
  });
}

function callsWords({ calls }: RecentMinute): string {
  const all = sum(calls);
  if (all === 0) return "No call in the last hour.";
  return `${counted(all)} in the last hour: ${calls.answered} answered by Presto, ${calls["not-sent"]} not sent, ${calls.unknown} with an unknown outcome.`;
}

/** From half a millisecond to 32 s, each doubling as high as the other. */
const leastMs = 0.5;
const mostMs = 32_768;
const latencyLines = [1, 10, 100, 1000, 10_000] as const;

/** How long calls took, half of them and 99 of 100, a dash for each minute. */
export function latencyPlot({ minutes, hour }: RecentReport): string {
  const column = inner.width / minutes.length;
  const dashes = (["p50", "p99"] as const).map((name) => {
    const path = minutes
      .flatMap(({ p50Ms, p99Ms }, index) => {
        const ms = name === "p50" ? p50Ms : p99Ms;
        return ms === undefined
          ? []
          : [
              `M${at(plot.left + index * column + 0.75)} ${at(inner.bottom - latencyHeight(ms))}h${at(column - 1.5)}`,
            ];
      })
      .join("");
    return `<path class="${name}" d="${path}"/>`;
  });
  return figure({
    id: "latency",
    title: "How long calls took",
    words:
      hour.p50Ms === undefined || hour.p99Ms === undefined
        ? "No call in the last hour."
        : `Half of the calls within ${msText(hour.p50Ms)}, 99 of 100 within ${msText(hour.p99Ms)}.`,
    legend: [
      ["p50", "half of the calls"],
      ["p99", "99 of 100"],
    ],
    lines: latencyLines.map((ms) => [latencyHeight(ms), msText(ms)]),
    body: dashes.join(""),
  });
}

function latencyHeight(ms: number): number {
  const bounded = Math.min(Math.max(ms, leastMs), mostMs);
  return (Math.log2(bounded / leastMs) / Math.log2(mostMs / leastMs)) * inner.height;
}

function msText(ms: number): string {
  return ms >= 1000 ? `${Number((ms / 1000).toPrecision(2))} s` : `${Number(ms.toPrecision(2))} ms`;
}

const strip = { height: 64, top: 18, bar: 20 } as const;

/** Which token was in hand when, as a strip, with a mark for each renewal; and the same as a list. */
export function timeline({ generations, renewals }: RecentReport, now: number): string {
  const moments = [
    ...generations.map(({ at: time, generation, expiresAt }) => ({
      time: time.getTime(),
      text: `Generation ${generation} came into hand${expiresAt === null ? "" : `; it ends ${relativeText(expiresAt.getTime(), now)}`}.`,
    })),
    ...renewals.map(({ at: time, kind, detail, count }) => ({
      time: time.getTime(),
      text: `${renewalWords(kind)}${count > 1 ? `, ${count} times, the last time then` : ""}${detail === undefined ? "." : `: ${detail}`}`,
    })),
  ].toSorted((one, other) => other.time - one.time);
  if (moments.length === 0) return "<p>No token has come into hand yet.</p>";
  const first = Math.min(...moments.map(({ time }) => time));
  const x = (time: number): number =>
    plot.left + ((time - first) / Math.max(now - first, 1)) * (plot.width - plot.left - plot.right);
  const bars = generations.map(({ at: time, generation }, index) => {
    const from = x(time.getTime());
    const width = Math.max(x(generations[index + 1]?.at.getTime() ?? now) - from, 2);
    const name = width < 24 ? "" : `<text x="${at(from + 4)}" y="${strip.top + 15}">${generation}</text>`;
    return `<rect class="generation${index % 2}" x="${at(from)}" y="${strip.top}" width="${at(width)}" height="${strip.bar}"/>${name}`;
  });
  const marks = renewals.map(({ at: time, kind }) => {
    const middle = x(time.getTime());
    return `<path class="${kind === "renewed" ? "renewed" : "failed"}" d="M${at(middle - 5)} 4h10l-5 9z"/>`;
  });
  const axis = `<text class="axis" x="${plot.left}" y="${strip.top + strip.bar + 16}">${dateText(first, now)}</text><text class="axis end" x="${plot.width - plot.right}" y="${strip.top + strip.bar + 16}">now</text>`;
  return `<figure>
<svg viewBox="0 0 ${plot.width} ${strip.height}" role="img" aria-label="Which generation of the token was in hand when; the list below says the same in words.">${bars.join("")}${marks.join("")}${axis}</svg>
<figcaption><span class="key generation0"></span> generation in hand <span class="key renewed"></span> renewed <span class="key failed"></span> renewal that did not work out</figcaption>
<ol class="moments" reversed>
${moments
  .slice(0, mostMoments)
  .map(
    ({ time, text }) =>
      `<li><time datetime="${new Date(time).toISOString()}">${dateText(time, now)}</time> ${escape(text)}</li>`,
  )
  .join("\n")}
</ol>
</figure>`;
}

const mostMoments = 12;

function renewalWords(kind: RecentReport["renewals"][number]["kind"]): string {
  return kind === "renewed" ? "A renewal stored a new token" : `A renewal ended otherwise (${kind})`;
}

interface FigureOptions {
  readonly id: string;
  readonly title: string;
  /** The same as the plot, for whoever does not see it. */
  readonly words: string;
  readonly legend: readonly (readonly [className: string, text: string])[];
  /** Height above the bottom, and what it means. */
  readonly lines: readonly (readonly [height: number, text: string])[];
  readonly body: string;
}

function figure({ id, title, words, legend, lines, body }: FigureOptions): string {
  const grid = lines.map(
    ([height, text]) =>
      `<path class="grid" d="M${plot.left} ${at(inner.bottom - height)}H${plot.width - plot.right}"/><text class="axis end" x="${plot.left - 6}" y="${at(inner.bottom - height + 4)}">${text}</text>`,
  );
  const axis = `<path class="grid" d="M${plot.left} ${inner.bottom}H${plot.width - plot.right}"/><text class="axis" x="${plot.left}" y="${plot.height - 6}">an hour ago</text><text class="axis end" x="${plot.width - plot.right}" y="${plot.height - 6}">now</text>`;
  const keys = legend.map(([name, text]) => `<span class="key ${name}"></span> ${text}`).join(" ");
  return `<figure aria-labelledby="${id}-title" aria-describedby="${id}-words">
<h3 id="${id}-title">${title}</h3>
<svg viewBox="0 0 ${plot.width} ${plot.height}" aria-hidden="true">${grid.join("")}${body}${axis}</svg>
<figcaption>${keys}<br><span id="${id}-words">${words}</span></figcaption>
</figure>`;
}

/** The least of 1, 2, 5, 10, 20… that is not less; even from 2 on, so that half of it is whole. */
function niceMost(count: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(count, 1)));
  const nice = [1, 2, 4, 10].find((factor) => factor * power >= count) ?? 10;
  return Math.max(nice * power, 2);
}

function heightOf(count: number, most: number): number {
  return (count / most) * inner.height;
}

function sum(calls: RecentMinute["calls"]): number {
  return calls.answered + calls["not-sent"] + calls.unknown;
}

function counted(count: number): string {
  return count === 1 ? "1 call" : `${count} calls`;
}

/** A coordinate: tenths are finer than any screen. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}
