/** One value for each round of each figure of each target. A figure's name is `PART WHAT-UNIT`. */
export interface Figures {
  record(figure: string, target: string, round: number, value: number): void;
  /** By round; a hole where a round has none. */
  values(figure: string, target: string): readonly (number | undefined)[];
  /** Forgets a target that failed, or one part of it: what it had shown before is no figure of anything. */
  forget(target: string, part?: string): void;
  /** Everything, for a file of JSON. */
  all(): Readonly<Record<string, Readonly<Record<string, readonly (number | undefined)[]>>>>;
}

export function createFigures(): Figures {
  const byFigure = new Map<string, Map<string, (number | undefined)[]>>();
  return {
    record(figure, target, round, value) {
      const byTarget = byFigure.get(figure) ?? new Map<string, (number | undefined)[]>();
      byFigure.set(figure, byTarget);
      const values = byTarget.get(target) ?? [];
      byTarget.set(target, values);
      values[round] = value;
    },
    values: (figure, target) => byFigure.get(figure)?.get(target) ?? [],
    forget(target, part) {
      for (const [figure, byTarget] of byFigure) {
        if (part === undefined || figure.startsWith(`${part} `)) byTarget.delete(target);
      }
    },
    all: () =>
      Object.fromEntries([...byFigure].map(([figure, byTarget]) => [figure, Object.fromEntries(byTarget)])),
  };
}

function seen(values: readonly (number | undefined)[]): readonly number[] {
  return values.filter((value) => value !== undefined);
}

/** Undefined where nothing was seen. */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = seen(values).toSorted((one, other) => one - other);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}

/** The least and the most; undefined where nothing was seen. */
export function spread(
  values: readonly (number | undefined)[],
): readonly [least: number, most: number] | undefined {
  const known = seen(values);
  return known.length === 0 ? undefined : [Math.min(...known), Math.max(...known)];
}

/** The machine's speed changes from minute to minute: values are compared within a round, then the median is taken. */
export function ratio(
  values: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): number | undefined {
  return median(
    values.map((value, round) => {
      const other = others[round];
      return value === undefined || other === undefined || other === 0 ? undefined : value / other;
    }),
  );
}
