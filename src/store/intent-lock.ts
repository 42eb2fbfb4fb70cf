import type { Clock } from "../clock.ts";
import { CommandError } from "../errors.ts";
import { backOffMs } from "../lib/async.ts";
import type {
  AcquireOptions,
  HeldLock,
  IntentTerm,
  RenewalLock,
  StoredRecord,
  TokenRecord,
  TokenStore,
  WritableStore,
} from "./contract.ts";
import { type DescribedHolder, findHolder } from "./holder.ts";
import { homeKept } from "./home.ts";
import { isWritten } from "./import.ts";
import { emptyRecord } from "./record.ts";
import { watchForSleep } from "./term.ts";

/** Who takes the lock. */
export interface LockHolder {
  /** UUID of this process, new at every start: `intent.holder`, and compared as a whole. */
  readonly id: string;
  /** For `writtenBy` in the record, so that the process can be found: pod or host, with the UUID. */
  readonly identity: string;
}

export interface IntentLockOptions {
  readonly store: Pick<TokenStore, "read">;
  readonly holder: LockHolder;
  /** For so long another's intent must stand unchanged before it counts as nobody's work (LEASE), milliseconds. */
  readonly leaseMs: number;
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

/** Between two reads while another's intent stands, milliseconds, a quarter more or less. */
const pollMs = 2_000;
/** Who waits is told anew who holds it: that may be another by now. */
const tellEveryMs = 5_000;
/** A term is a third over when its intent is written anew, as leases are. */
const keepsPerTerm = 3;

/** An intent of another process, as this one saw it first. */
interface Seen {
  readonly id: string;
  readonly version: string;
  /** Monotonic time at which the answer that showed it had come. */
  readonly since: number;
}

/**
 * The record's own intent as the lock, for stores beside which there is no other (R1 of the protocol).
 * Whoever has written one by compare-and-set holds it, for a term that is counted from the sending of
 * that write; taking the lock only means that no other's stands. Another's is left alone until
 * it was seen unchanged for a term: no clock of another machine is trusted. Unchanged is more
 * than its id, which is that of one call: who settles that call for longer than a term writes the
 * same intent anew, and the record has another version then.
 */
export function createIntentLock(options: IntentLockOptions): RenewalLock {
  const { store, holder, leaseMs, clock, random } = options;
  let seen: Seen | undefined;

  /** Milliseconds for which this record must still be left alone; 0 where nobody else works on it. */
  function leaveAloneMs(found: StoredRecord | undefined): number {
    const intent = found?.record.intent ?? null;
    if (found === undefined || intent === null || intent.holder === holder.id) {
      seen = undefined;
      return 0;
    }
    const now = clock.monotonic();
    if (intent.id !== seen?.id || found.version !== seen.version)
      seen = { id: intent.id, version: found.version, since: now };
    return Math.max(0, seen.since + leaseMs - now);
  }

  function hold(): HeldLock {
    const hasSlept = watchForSleep(clock);
    let sentAt = Number.NEGATIVE_INFINITY;
    let isReleased = false;
    const heldUntil = (): number => (isReleased || hasSlept() ? Number.NEGATIVE_INFINITY : sentAt + leaseMs);
    const intent: IntentTerm = {
      mayTouch: (found) => leaveAloneMs(found) === 0,
      stands(at) {
        sentAt = at;
      },
      dueAt: () => sentAt + leaseMs / keepsPerTerm,
    };
    return {
      identity: holder.identity,
      heldUntil,
      // A new term takes a write, which is the work of whoever holds the intent.
      renew: async () => clock.monotonic() < heldUntil(),
      async release() {
        isReleased = true;
      },
      intent,
    };
  }

  return {
    name: "the record's intent",
    async acquire({ waitMs, outwaits = false, signal, onHeld }: AcquireOptions) {
      const begun = clock.monotonic();
      let first: Seen | undefined;
      let tellAfter = 0;
      for (;;) {
        signal?.throwIfAborted();
        const found = await store.read();
        const leftMs = leaveAloneMs(found);
        if (found === undefined || leftMs === 0) return hold();
        first ??= seen;
        const waited = clock.monotonic() - begun;
        const standsStill = outwaits && waitMs > 0 && seen === first;
        if (waited >= waitMs && !standsStill) throw isHeld(found.record, holder.identity);
        if (onHeld !== undefined && waited >= tellAfter) {
          tellAfter = waited + tellEveryMs;
          const { words, pod } = intentHolder(found.record, holder.identity);
          onHeld(words, waited, pod);
        }
        const pauseMs = Math.min(pollMs * (0.75 + random() / 2), leftMs);
        await clock.sleep(waited < waitMs ? Math.min(pauseMs, waitMs - waited) : pauseMs, signal);
      }
    },
  };
}

function isHeld(record: TokenRecord, own: string): CommandError {
  return new CommandError(
    "try-again",
    `${intentHolder(record, own).words} works on the record: its intent stands there. Nothing was changed. Try again when it is done; if that process is gone, another takes its work over.`,
  );
}

/**
 * Whose intent stands there.
 * @param own as this process names itself
 */
export function intentHolder({ intent, writtenBy }: TokenRecord, own: string): DescribedHolder {
  if (intent === null) return { words: "Another process", pod: undefined };
  const since = `(since ${intent.at.toISOString()})`;
  // Whoever imports a token beside an intent is the last who wrote, and is not who holds it.
  if (writtenBy?.holder !== intent.holder) return { words: `Another process ${since}`, pod: undefined };
  const { words = writtenBy.lock, pod } = findHolder(writtenBy.lock, own) ?? {};
  return { words: `${words} ${since}`, pod };
}

/**
 * The same lock for work that is no renewal and writes nothing to the record: an intent of its own stands
 * there meanwhile, so that no renewal is begun beside it, and is taken away at its end. One that is
 * left behind is taken over like any other: what it was for is settled by probing, too.
 */
export function createClaimLock(
  options: IntentLockOptions & {
    readonly store: WritableStore;
    readonly newId: () => string;
  },
): RenewalLock {
  const { store, holder, clock, random, newId } = options;
  const lock = createIntentLock(options);

  async function claim(held: HeldLock): Promise<boolean> {
    const found = await store.read();
    if (held.intent?.mayTouch(found) !== true) return false;
    // One that was left behind is a renewal's to settle, and not this work's to write over.
    if (found !== undefined && found.record.intent !== null) throw isHeld(found.record, holder.identity);
    const sentAt = clock.monotonic();
    const id = newId();
    const record: TokenRecord = {
      ...(found?.record ?? emptyRecord),
      intent: { id, holder: holder.id, soleCall: false, reason: "manual", at: new Date(clock.now()) },
      home: homeKept(found),
      writtenBy: { holder: holder.id, lock: holder.identity },
    };
    const claimed = await isWritten(
      () => store.write(record, found?.version),
      async () => (await store.read())?.record.intent?.id === id,
    );
    if (claimed) held.intent.stands(sentAt);
    return claimed;
  }

  /** For as long as it takes a server to answer again; what is left then is taken over by the next renewal. */
  async function clear(): Promise<void> {
    for (let tries = 1; tries <= mostClearings; tries += 1) {
      try {
        const found = await store.read();
        if (found === undefined || found.record.intent?.holder !== holder.id) return;
        const { outcome } = await store.write(
          { ...found.record, intent: null, home: homeKept(found) },
          found.version,
        );
        if (outcome === "written") return;
      } catch {
        // Unclear: it is read again.
      }
      if (tries < mostClearings) await clock.sleep(clearEveryMs);
    }
  }

  return {
    name: lock.name,
    async acquire(wanted) {
      const { waitMs, signal } = wanted;
      const begun = clock.monotonic();
      for (let claims = 1; ; claims += 1) {
        const left = Math.max(0, waitMs - (clock.monotonic() - begun));
        const held = await lock.acquire({ ...wanted, waitMs: left });
        if (await claim(held)) {
          return {
            ...held,
            async release() {
              await clear();
              await held.release();
            },
          };
        }
        // Somebody was quicker, and is waited for as before. Or the store shows an old version to
        // whoever reads, and refuses each write over it: then nobody is there to wait for.
        if (claims >= leastClaims && left === 0) throw neverWritten();
        await clock.sleep(backOffMs(claimPauses, claims, random()), signal);
      }
    },
  };
}

/** Also where nothing may be waited for, so that one write of somebody else's ends nothing. */
const leastClaims = 4;
const claimPauses = { firstMs: 100, mostMs: 2_000 };

function neverWritten(): CommandError {
  return new CommandError(
    "try-again",
    "The store refused each write, though nobody holds the lock: others write all the time, or reads show an old version. Nothing was changed. Try again later.",
  );
}

const mostClearings = 5;
const clearEveryMs = 1_000;
