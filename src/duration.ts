/** Milliseconds of each unit that a duration may be written in. */
const units: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/**
 * A length of time as people write it here: digits, then a unit (`250ms`, `10s`, `5m`, `24h`),
 * and nothing that `Number` would make of an empty text, of `1e3` or of `0x10`.
 * @returns milliseconds, which may be 0, or Infinity from some 300 digits; undefined if it is no duration
 */
export function readDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d+)([a-z]+)$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units.get(unit);
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}
