import { RefusedValue } from "./refused-value.ts";

/** ASCII white space alone: YAML's folded text puts it around entries; anything odder is a mistake to be told. */
const around = /^[ \t\r\n]+|[ \t\r\n]+$/g;

/**
 * Reads a comma list, each entry by `parse`.
 * @param keyOf tells entries apart; two that are the same are refused. Without it nothing is compared.
 * @throws RefusedValue that tells of every bad entry, by its place. A comma too many is one: it is mostly an entry that was lost
 */
export function parseList<T>(text: string, parse: (entry: string) => T, keyOf?: (value: T) => string): T[] {
  const entries = text.split(",").map((entry) => entry.replace(around, ""));
  const faults: string[] = [];
  const places = new Map<string, number>();
  const values = entries.flatMap((entry, index) => {
    const place = index + 1;
    try {
      if (entry === "") throw new RefusedValue("it is empty; remove the comma too many");
      const value = parse(entry);
      const key = keyOf?.(value);
      const same = key === undefined ? undefined : places.get(key);
      if (same !== undefined) throw new RefusedValue(`it is the same as entry ${same}; remove one`);
      if (key !== undefined) places.set(key, place);
      return [value];
    } catch (error) {
      if (!(error instanceof RefusedValue)) throw error;
      faults.push(entries.length === 1 ? error.message : `entry ${place}: ${error.message}`);
      return [];
    }
  });
  if (faults.length > 0) throw new RefusedValue(faults.join("; "));
  return values;
}
