import { Buffer } from "node:buffer";

/** A value that must never be found in an output, by the name that a failing test should show. */
export interface Mark {
  readonly name: string;
  readonly value: string;
}

/**
 * The forms in which a mark's value could stand in an output: as it is, escaped for JSON, a URL or
 * HTML, as base64 at each of its three alignments, and as hexadecimal digits. Letters and digits
 * pass through most escapes, so the longest run of them is looked for too.
 */
export function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, "latin1");
  const aligned = [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    // What the bytes around it have a part in says nothing.
    const core = encoded.replace(/=+$/, "").slice(shift === 0 ? 0 : 4, -4);
    return [core, core.replaceAll("+", "-").replaceAll("/", "_")];
  });
  const runs = value.match(/[A-Za-z0-9]+/g) ?? [];
  const longest = runs.toSorted((one, other) => other.length - one.length)[0] ?? value;
  return [
    value,
    longest,
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value)).slice(1, -1),
    encodeURIComponent(value),
    value.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;"),
    [...value].toReversed().join(""),
    bytes.toString("hex"),
    ...aligned,
  ].filter((form) => form.length >= 8);
}

/** Which marks a text holds, in whatever form and letter case; empty for a text that is clean. */
export function marksIn(text: string, marks: readonly Mark[]): string[] {
  const lower = text.toLowerCase();
  return marks.flatMap(({ name, value }) =>
    formsOf(value)
      .filter((form) => lower.includes(form.toLowerCase()))
      .map((form) => `${name} as ${form.slice(0, 12)}…, in …${around(lower, form.toLowerCase())}…`),
  );
}

function around(text: string, form: string): string {
  const at = text.indexOf(form);
  return text.slice(Math.max(0, at - 60), at);
}
