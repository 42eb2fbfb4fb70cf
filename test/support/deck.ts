import type { Random } from "../simulation/random.ts";

/** From and to, milliseconds: drawn from the seed. */
export type Span = readonly [number, number];

export function drawIn(random: Random, [from, to]: Span): number {
  return Math.round(random.between(from, to) * 10) / 10;
}

/** Fisher and Yates's shuffle. */
function shuffle<T>(list: readonly T[], random: Random): T[] {
  const shuffled: T[] = [];
  for (const item of list) {
    const at = random.whole(0, shuffled.length);
    const moved = shuffled[at];
    if (moved === undefined) shuffled.push(item);
    else {
      shuffled[at] = item;
      shuffled.push(moved);
    }
  }
  return shuffled;
}

/** So many cards: deck after deck, each shuffled anew, so that all come about equally often. */
export function deal<T>(deck: readonly T[], cards: number, random: Random): T[] {
  const dealt: T[] = [];
  while (dealt.length < cards) dealt.push(...shuffle(deck, random));
  return dealt.slice(0, cards);
}
