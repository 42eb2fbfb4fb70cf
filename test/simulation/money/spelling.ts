import type { Random } from "../random.ts";

/** How apps may write a reference, and how Presto takes it: white space, letter case and Unicode form are nothing to it. */
export function canonical(text: string): string {
  return text
    .normalize("NFKC")
    .replaceAll(/[\s\u200b]/g, "")
    .toUpperCase();
}

/** A body that names the transaction, in some spelling; now and then another beside it. */
export function spell(reference: string, random: Random): string {
  const written = random.chance(0.6)
    ? reference
    : random.pick([
        reference.toLowerCase(),
        ` ${reference}\n`,
        `\u200b${reference}`,
        String.fromCodePoint(0xff34) + reference.slice(1),
      ]);
  const member = `"transaction_reference":${JSON.stringify(written)}`;
  return random.chance(0.05)
    ? `{"transaction_reference":"X-${random.whole(1, 1e9)}",${member}}`
    : `{${member}}`;
}
