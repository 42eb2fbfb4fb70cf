// Figures as lines of text, for reports of long runs.

export function row(name: string, value: number): string {
  return `  ${name.padEnd(40)} ${String(value).padStart(7)}`;
}

/** How many there are, their median, their 99th percentile and the greatest. */
export function figures(name: string, values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (part: number): string => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
    return value === undefined ? "-" : String(Math.round(value));
  };
  const columns = [at(0.5), at(0.99), at(1)].map((text) => text.padStart(6)).join(" ");
  return `${row(name, sorted.length)} ${columns}`;
}

export function count(list: readonly string[], wanted: string): number {
  return list.filter((item) => item === wanted).length;
}

export function sum(list: readonly number[]): number {
  return list.reduce((all, one) => all + one, 0);
}
