import type { Clock } from "../clock.ts";
import type { Cancellable } from "../lib/async.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Secret } from "../secret.ts";
import type { StoredRecord, TokenRecord, TokenStore } from "../store/contract.ts";
import { createRejections, createActiveToken, type PendingToken, type TokenChanged } from "./active.ts";
import type { Token } from "./token.ts";
import { createTokenWaits, createWaiting, type TokenOrNone } from "./waiting.ts";
import { createRecordWatch, type StoreFailed } from "./watch.ts";

/** What is told of the token's use. */
export type TokenEvent = TokenChanged | TokenRejected | TokenAccepted | StoreFailed | Warning;

/** Presto answered 401 to this token. */
interface TokenRejected {
  readonly type: "token-rejected";
  readonly generation: number;
  readonly id: string;
}

/** Presto accepted a token that it had answered 401 to. */
interface TokenAccepted {
  readonly type: "token-accepted";
  readonly generation: number;
  readonly id: string;
}

export interface TokenSourceOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly emit: Emit<TokenEvent>;
  /** Longest that a new request is held because a renewal is under way, milliseconds. */
  readonly holdMaxMs: number;
  /** Milliseconds between reads of the store (POLL). */
  readonly pollMs: number;
  /** False where the process replaces the token and sends no call: a record of a later version, which it may not write, is then none. True unless given. */
  readonly sendsCalls?: boolean;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Called whenever another record is in hand, or what was there has gone. */
  readonly onRecord: () => void;
  /** Called each time that a token is refused, by an answer to a call or to a probe. */
  readonly onRejected: (tokenId: string) => void;
  /** Told what Presto's answers say of tokens. */
  readonly health: TokenHealthReport;
}

/** Whoever wants to know how Presto answered to tokens. */
export interface TokenHealthReport {
  /** @param sentAt monotonic time at which the call was sent, or before */
  accepted(tokenId: string, sentAt: number): void;
  refused(tokenId: string): void;
}

/**
 * The token as requests see it: rules P1 to P10 of the renewal protocol. Tokens are told
 * apart by id, never by generation, and a failed read never gives up the token in hand.
 */
export interface TokenSource {
  /** First read (P1), then watching. Throws the store's error if that first read fails; what follows is only signalled. */
  start(): Promise<void>;
  /** The token to send a new request with right now, or undefined if it has to `waitForToken` first. */
  ready(): Token | undefined;
  /** Waits for a token to send a new request with (P1, P3, P4, P9). */
  waitForToken(call: Cancellable): Promise<TokenOrNone>;
  /** After a wait for something else: may this call still go with this token, or has the state changed under it? */
  isCurrent(call: Cancellable, token: Token): boolean;
  /**
   * Presto answered 401 to this token (P5). If it is not the one in hand, the one in hand is not touched (P10).
   * @param certain the answer was in Presto's own shape; a page of some gateway is evidence of nothing
   */
  reject(token: Token, certain: boolean): void;
  /** Waits for a token that is not in `refused` (P5, P6, P9). */
  afterRejection(call: Cancellable, refused: ReadonlySet<string>): Promise<TokenOrNone>;
  /**
   * Presto's answer proved the token alive: clears what was held against it.
   * @param sentAt monotonic time at which the call was sent, or before
   */
  proveAlive(token: Token, sentAt: number): void;
  /** What a probe of this process said of a token: counts as an answer to a call. */
  probed(token: Secret, verdict: "alive" | "dead"): void;
  /** Serves from a token that works and is not stored yet; every other is dead. Nothing is held for its renewal any more. */
  setPending(pending: PendingToken): void;
  /** That token is dead: what the store holds is served again. */
  discardPending(pending: Pick<PendingToken, "token">): void;
  /** The call is over, however it ended: a claim to try a rejected token goes back (P9). */
  release(call: Cancellable, token: Token): void;
  /** Reads the store now. */
  refresh(): Promise<void>;
  /** The record in hand; undefined before the first. */
  record(): TokenRecord | undefined;
  /** What the store held when it was last read, a record or none; undefined before the first time. */
  lastRead(): { readonly found: StoredRecord | undefined } | undefined;
  close(): void;
}

/** While a call waits for a change the store is read this often at least: reads are cheap beside a waiting payment. */
const urgentPollMs = 1_000;

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { clock, store, emit, holdMaxMs } = options;
  const { canChange } = store;
  const rejections = createRejections(clock, options.random);
  const active = createActiveToken({ emit, rejections });
  const waits = createTokenWaits(clock, (any) => watch.setUrgent(any));
  const waiting = createWaiting({ clock, holdMaxMs, canChange, active, rejections, waits });
  const watch = createRecordWatch({
    store,
    clock,
    emit,
    pollMs: options.pollMs,
    urgentPollMs,
    random: options.random,
    sendsCalls: options.sendsCalls !== false,
    onRecord: adopt,
    // That is no reason to give up the token in hand.
    onAbsent() {
      lastRead = { found: undefined };
      options.onRecord();
    },
  });
  let record: TokenRecord | undefined;
  let lastRead: { readonly found: StoredRecord | undefined } | undefined;
  let lookedAt = -Infinity;

  /** Who comes where there is no token is told so at once. Whoever comes next has what the store holds by then, though it told of nothing. */
  function lookForFirst(): void {
    const now = clock.monotonic();
    if (!canChange || active.current() !== undefined || now - lookedAt < urgentPollMs) return;
    lookedAt = now;
    watch.refresh().catch(() => {});
  }

  /** P2: whatever differs is taken, whatever its generation; a restored backup sets that back. */
  function adopt(stored: StoredRecord): void {
    const next = stored.record;
    waiting.adopted(next);
    record = next;
    // What a later version wrote is served from, and is not this one's to judge.
    lastRead = stored.isLater === true ? undefined : { found: stored };
    rejections.startAnew();
    active.stored(next);
    options.onRecord();
    waits.wake();
  }

  function mark({ id, generation }: Pick<Token, "id" | "generation">): void {
    if (rejections.add(id)) {
      emit({ type: "token-rejected", generation, id });
      active.chooseAgain();
    }
    options.onRejected(id);
  }

  function unmark({ id, generation }: Pick<Token, "id" | "generation">): void {
    if (!rejections.clear(id)) return;
    active.chooseAgain();
    emit({ type: "token-accepted", generation, id });
    waits.wake();
  }

  return {
    async start() {
      try {
        await watch.refresh();
      } finally {
        watch.start();
      }
    },
    ready: waiting.ready,
    waitForToken(call) {
      lookForFirst();
      return waiting.waitForToken(call);
    },
    isCurrent: waiting.isCurrent,
    reject(rejected, certain) {
      // P2: a 401 lifts a guard against going back. Before the read that follows it.
      if (rejected.id === active.current()?.id) store.mayGoBack?.();
      if (certain) options.health.refused(rejected.id);
      mark(rejected);
    },
    afterRejection(call, refused) {
      // What the read finds wakes the wait below; a read that fails is signalled, and changes nothing.
      if (canChange) watch.refresh().catch(() => {});
      return waiting.afterRejection(call, refused);
    },
    proveAlive(alive, sentAt) {
      options.health.accepted(alive.id, sentAt);
      unmark(alive);
    },
    probed(secret, verdict) {
      const id = secret.fingerprint();
      const token = active.current();
      const generation = id === token?.id ? token.generation : (record?.generation ?? 0);
      if (verdict === "alive") unmark({ id, generation });
      else mark({ id, generation });
    },
    setPending(pending) {
      active.setPending(pending);
      waits.wake();
    },
    discardPending({ token }) {
      active.discardPending(token.fingerprint());
      waits.wake();
    },
    release(call, used) {
      if (rejections.release(used.id, call)) waits.wake();
    },
    refresh: () => watch.refresh(),
    record: () => record,
    lastRead: () => lastRead,
    close: () => watch.close(),
  };
}
