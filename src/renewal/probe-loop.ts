import { backOffMs } from "../lib/async.ts";
import { plainVerdict } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { RememberedToken } from "./remembering.ts";
import { type Found, type RenewalDeps, storedId } from "./run.ts";

export interface ProbeLoopOptions {
  readonly deps: Pick<RenewalDeps, "clock" | "random" | "times" | "probe" | "consumer" | "mayLeave">;
  /** The record in hand. */
  readonly current: () => TokenRecord | undefined;
  /** What the store held when it was last read; undefined before the first time. */
  readonly lastRead: () => { readonly found: Found } | undefined;
  /** Told what is found out of the token that stands there. */
  readonly remembered: Pick<RememberedToken, "missingIn" | "storedLives" | "died">;
  /** Has Presto accepted it in a call of our own since then (monotonic)? */
  readonly acceptedSince: (tokenId: string, monotonic: number) => boolean;
  /** It is dead, or seems so and is young: that is for a renewal to judge. */
  readonly onDead: (tokenId: string) => void;
  /** A probe has ended: `leftMs` is another. */
  readonly onDone: () => void;
}

/** Makes sure, at the start and every PROBE_EVERY, that the stored token lives: without it a dead one goes unnoticed until somebody calls. */
export interface ProbeLoop {
  /** Probes if it is time, at this moment (monotonic). A renewal under way probes by itself. */
  look(now: number, renewing: boolean): void;
  /** Milliseconds from this moment until it is time; `Infinity` where only something else can make it so. */
  leftMs(now: number, renewing: boolean): number;
}

/** After an answer that tells nothing. */
const unclear = { firstMs: 5_000, mostMs: 60_000 };

export function createProbeLoop(options: ProbeLoopOptions): ProbeLoop {
  const { clock, random, times, probe, consumer, mayLeave } = options.deps;
  let nextAt = clock.monotonic();
  let isUnderWay = false;
  let unclearTries = 0;

  /** A tenth to either side, so that replicas do not probe in step. */
  const period = (): number => times.probeEveryMs * (0.9 + random() / 5);

  const token = (): Secret | null => options.current()?.token ?? null;

  /** What the store holds, if that is this token. */
  function whereItStands(id: string): Found {
    const found = options.lastRead()?.found;
    return storedId(found) === id ? found : undefined;
  }

  async function ask(asked: Secret): Promise<void> {
    const id = asked.fingerprint();
    const stored = whereItStands(id);
    const found = await probe(asked, { issuedAt: options.current()?.issuedAt ?? null });
    const verdict = plainVerdict(found);
    consumer.probed(asked, verdict);
    if (verdict === "alive") options.remembered.storedLives(stored, clock.monotonic());
    if (verdict === "dead") options.remembered.died(id);
    unclearTries = verdict === "unclear" ? unclearTries + 1 : 0;
    const wait =
      verdict === "unclear" ? Math.min(period(), backOffMs(unclear, unclearTries, random())) : period();
    nextAt = clock.monotonic() + wait;
    if (verdict === "dead" || found === "young") options.onDead(id);
  }

  return {
    look(now, renewing) {
      const stored = token();
      if (renewing || isUnderWay || now < nextAt || stored === null || !mayLeave()) return;
      if (options.acceptedSince(stored.fingerprint(), now - times.probeEveryMs)) {
        nextAt = now + period();
        // It was accepted a while ago: too long to give up another token for that one.
        const found = whereItStands(stored.fingerprint());
        if (options.remembered.missingIn(found).length === 0) options.remembered.storedLives(found, now);
        return;
      }
      isUnderWay = true;
      void ask(stored).finally(() => {
        isUnderWay = false;
        options.onDone();
      });
    },
    leftMs(now, renewing) {
      const asks = !renewing && !isUnderWay && token() !== null && mayLeave();
      return asks ? Math.max(0, nextAt - now) : Number.POSITIVE_INFINITY;
    },
  };
}
