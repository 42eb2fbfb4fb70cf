/** How long to wait before something is tried again: longer each time, and never at the same moment as others. Milliseconds. */
export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * @param tries how often it has failed, from 1
 * @param random from 0 to 1: the wait lies between half of the full one and all of it
 */
export function backOffMs({ firstMs, mostMs }: BackOff, tries: number, random: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(tries - 1, 30));
  return full * (0.5 + random / 2);
}
