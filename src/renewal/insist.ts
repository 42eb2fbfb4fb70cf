import type { Clock } from "../clock.ts";
import { backOffMs } from "./back-off.ts";

/** Between two tries of what must be done before anything else can be. */
const patience = { firstMs: 100, mostMs: 5_000 };

/** Tries again and again, ever more slowly, until it works. Rejects with the signal's reason when it is aborted. */
export async function insist<T>(
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch {
      await clock.sleep(backOffMs(patience, tries, random()), signal);
    }
  }
}
