import type { Writable } from "node:stream";
import type { TLSSocket } from "node:tls";

import { type Client, type Dispatcher, errors } from "undici";

import { atEndOfTurn, type Clock } from "../clock.ts";
import type { Connector } from "../connect/connector.ts";
import { random } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import type { ExchangeHandler, ExchangeRequest, Sender } from "./exchange.ts";
import { createIdleTimes, longestIdleMs } from "./idle-times.ts";
import { type ConnectionEvents, KeptConnection, type SendMode } from "./kept-connection.ts";
import { createSpares, type Spares } from "./spares.ts";

export interface ConnectionsOptions {
  readonly origin: Origin;
  /** Most connections at a time: as many as calls may be in flight, so that none waits for another's. */
  readonly connections: number;
  /** Longest exchange, milliseconds. Each call has a deadline of its own; this is the net below it. */
  readonly timeoutMs: number;
  readonly connector: Connector;
  readonly clock: Clock;
  /** Nobody is told unless given. */
  readonly emit?: Emit<UnaskedBytes> | undefined;
}

/** Bytes came on a connection on which nothing was asked. It is not used again: the next answer on it could be another call's. */
export interface UnaskedBytes {
  readonly type: "unasked-bytes";
}

/** The connections to the one origin. */
export interface Connections extends Sender {
  /**
   * Has a connection stand ready, from now on and for some minutes after each call.
   * @param mayOpen asked before each is opened
   */
  keepSpares(mayOpen: () => boolean): void;
  /** What is sent from now on goes over new connections; calls under way end on theirs. */
  rotate(): void;
  /** Cuts off all that is under way. */
  destroy(): Promise<void>;
}

interface WaitingRequest {
  readonly request: ExchangeRequest;
  readonly handler: ExchangeHandler;
  /** Monotonic time. */
  readonly since: number;
}

/** A connection that is being made. */
interface Opening {
  readonly begunAt: number;
  readonly isSpare: boolean;
  handle: Writable | undefined;
}

/** New connections at least this often, so that a changed address of Presto's name, or another way there, is noticed. */
const lifeMs = 5 * 60_000;
/** So much of that differs, so that not all end at the same time. */
const jitterMs = 60_000;
/** So many are opened at once; beyond them one a turn of the event loop, for as long as somebody waits. */
const openAtOnce = 8;

/**
 * HTTP/1.1, one exchange at a time on each connection, no redirects, no retries. The one that
 * was freed last is taken first, as long as its idle time lets the call have it; a request
 * that finds none waits for whichever comes free first, an open one or a new one.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  return new ConnectionList(options);
}

/** Opens lists of one connection, for requests that go over a connection of their own. */
export function createPoolOpener(options: Omit<ConnectionsOptions, "connections">): () => Connections {
  return () => createConnections({ ...options, connections: 1 });
}

class ConnectionList implements Connections, ConnectionEvents {
  readonly #options: ConnectionsOptions;
  readonly #clock: Clock;
  readonly #client: Client.Options;
  /** Those that are open and take calls. */
  readonly #all = new Set<KeptConnection>();
  /** Those that have had their time, and still have a call. */
  readonly #retired = new Set<KeptConnection>();
  /** In the order in which they became so. */
  readonly #idle: KeptConnection[] = [];
  readonly #openings = new Set<Opening>();
  readonly #waiting: WaitingRequest[] = [];
  readonly #idleTimes = createIdleTimes();
  #spares: Spares | undefined;
  #opensNextTurn = false;
  #destroyed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#client = {
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: longestIdleMs,
      keepAliveMaxTimeout: longestIdleMs,
      keepAliveTimeoutThreshold: 2_000,
      headersTimeout: options.timeoutMs + 1_000,
      bodyTimeout: options.timeoutMs + 1_000,
      maxHeaderSize: 32 * 1024,
    };
  }

  dispatch(request: ExchangeRequest, handler: ExchangeHandler): boolean {
    if (this.#destroyed) {
      handler.onResponseError?.(noController, new errors.ClientDestroyedError());
      return false;
    }
    const now = this.#clock.monotonic();
    this.#spares?.wake(now);
    if (request.fresh !== true && this.#sendOverIdle(request, handler, now)) return true;
    this.#waiting.push({ request, handler, since: now });
    this.#openMore();
    return true;
  }

  withdraw(handler: ExchangeHandler): void {
    const index = this.#waiting.findIndex((waiting) => waiting.handler === handler);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    // An attempt that nobody waits for would only hold a place.
    for (const opening of [...this.#openings].toReversed()) {
      if (this.#openings.size <= this.#waiting.length) return;
      this.#giveUp(opening);
    }
  }

  keepSpares(mayOpen: () => boolean): void {
    this.#spares = createSpares({
      clock: this.#clock,
      readyUntil: () => this.#readyUntil(),
      open: () => {
        if (mayOpen()) this.#open(true);
      },
      sweep: () => this.#sweep(),
    });
    this.#spares.wake(this.#clock.monotonic());
  }

  rotate(): void {
    for (const opening of this.#openings) this.#giveUp(opening);
    for (const connection of this.#all) this.#retire(connection);
    this.#openMore();
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    this.#spares?.close();
    for (const opening of this.#openings) this.#giveUp(opening);
    for (const { handler } of this.#waiting.splice(0))
      handler.onResponseError?.(noController, new errors.ClientDestroyedError());
    await Promise.all([...this.#all, ...this.#retired].map((connection) => connection.destroy()));
  }

  // What connections tell.

  freed(connection: KeptConnection): void {
    const now = this.#clock.monotonic();
    this.#idleTimes.stood(connection.idleMs);
    connection.idleSince = now;
    if (now >= connection.endsAt) {
      this.#retire(connection);
      return;
    }
    const next = this.#takeWaiting(({ request }) => request.fresh !== true);
    if (next === undefined) this.#idle.push(connection);
    else this.#give(connection, next, now, {});
  }

  gone(connection: KeptConnection, ended: "idle" | "unanswered" | undefined): void {
    this.#all.delete(connection);
    this.#retired.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    if (ended === "idle" && index !== -1)
      this.#idleTimes.ended(this.#clock.monotonic() - connection.idleSince);
    if (ended === "unanswered") this.#idleTimes.ended(connection.idleMs);
    this.#openMore();
  }

  unsent(request: ExchangeRequest, handler: ExchangeHandler): void {
    if (this.#destroyed) {
      handler.onResponseError?.(noController, new errors.ClientDestroyedError());
      return;
    }
    const now = this.#clock.monotonic();
    if (request.fresh !== true && this.#sendOverIdle(request, handler, now)) return;
    this.#waiting.unshift({ request, handler, since: now });
    this.#openMore();
  }

  unasked(): void {
    this.#options.emit?.({ type: "unasked-bytes" });
  }

  named(timeoutMs: number): void {
    this.#idleTimes.named(timeoutMs);
  }

  // Idle connections.

  #sendOverIdle(request: ExchangeRequest, handler: ExchangeHandler, now: number): boolean {
    const isGet = request.method === "GET";
    for (let index = this.#idle.length - 1; index >= 0; index -= 1) {
      const connection = this.#idle[index];
      if (connection === undefined) continue;
      if (now >= connection.endsAt) {
        this.#retire(connection);
        continue;
      }
      const idleMs = now - connection.idleSince;
      // Those below it have been idle for longer.
      if (idleMs >= longestIdleMs) return false;
      const isSafe = idleMs < this.#idleTimes.safeMs(connection.used);
      if (!isSafe && !isGet) continue;
      this.#idle.splice(index, 1);
      this.#give(connection, { request, handler, since: now }, now, {
        checked: !isGet || !isSafe,
        risky: !isSafe,
      });
      return true;
    }
    return false;
  }

  #give(connection: KeptConnection, { request, handler }: WaitingRequest, now: number, mode: SendMode): void {
    connection.idleMs = now - connection.idleSince;
    connection.send(request, handler, mode);
  }

  #takeWaiting(suits: (waiting: WaitingRequest) => boolean): WaitingRequest | undefined {
    const index = this.#waiting.findIndex(suits);
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  #retire(connection: KeptConnection): void {
    this.#all.delete(connection);
    this.#retired.add(connection);
    connection.retire();
  }

  // New connections.

  /** As many are made as requests wait: some at once, then one a turn, so that a burst finds the first ones free again. */
  #openMore(): void {
    while (this.#wantsMore() && this.#openings.size < openAtOnce) this.#open(false);
    if (!this.#wantsMore() || this.#opensNextTurn) return;
    this.#opensNextTurn = true;
    atEndOfTurn(() => {
      this.#opensNextTurn = false;
      if (this.#wantsMore()) this.#open(false);
      this.#openMore();
    });
  }

  #wantsMore(): boolean {
    if (this.#destroyed || this.#openings.size >= this.#waiting.length) return false;
    const most = this.#options.connections;
    if (this.#all.size + this.#openings.size < most) return true;
    const now = this.#clock.monotonic();
    for (const connection of this.#all) if (now >= connection.endsAt) this.#retire(connection);
    // Whoever waits may have none of those that are idle.
    const [longestIdle] = this.#idle;
    if (longestIdle !== undefined && this.#all.size + this.#openings.size >= most) this.#retire(longestIdle);
    return this.#all.size + this.#openings.size < most;
  }

  #open(isSpare: boolean): void {
    const begunAt = this.#clock.monotonic();
    const opening: Opening = { begunAt, isSpare, handle: undefined };
    this.#openings.add(opening);
    opening.handle = this.#options.connector.connect((error, socket) => {
      this.#openings.delete(opening);
      if (error !== null) this.#openFailed(opening, error);
      else if (socket !== null) this.#opened(socket);
    });
  }

  #giveUp(opening: Opening): void {
    this.#openings.delete(opening);
    opening.handle?.destroy();
  }

  #opened(socket: TLSSocket): void {
    const now = this.#clock.monotonic();
    const endsAt = now + lifeMs - random() * jitterMs;
    const connection = new KeptConnection(
      socket,
      { url: this.#options.origin.url, client: this.#client, openedAt: now, endsAt },
      this,
    );
    this.#all.add(connection);
    const next = this.#takeWaiting(() => true);
    if (next === undefined) this.#idle.push(connection);
    else this.#give(connection, next, now, { fresh: true });
  }

  /** The one that waits longest hears of it, unless the attempt is older than its waiting: then another is made for it. */
  #openFailed(opening: Opening, error: Error): void {
    if (opening.isSpare) this.#spares?.failed();
    const next = this.#waiting[0];
    if (next !== undefined && next.since <= opening.begunAt) {
      this.#waiting.shift();
      next.handler.onResponseError?.(noController, error);
    }
    this.#openMore();
  }

  // Spares.

  /** Until when some idle connection may be taken by any call. */
  #readyUntil(): number {
    let until = 0;
    for (const { idleSince, used, endsAt } of this.#idle)
      until = Math.max(until, Math.min(idleSince + this.#idleTimes.safeMs(used), endsAt));
    return until;
  }

  /** Of those that were never used two stand ready at most; none is idle for longer than a minute. */
  #sweep(): boolean {
    const now = this.#clock.monotonic();
    let unused = 0;
    for (const connection of this.#idle.toReversed()) {
      const idleMs = now - connection.idleSince;
      if (!connection.used) unused += 1;
      if (idleMs < longestIdleMs && (connection.used || unused <= 2)) continue;
      this.#idleTimes.stood(idleMs);
      this.#retire(connection);
    }
    return this.#idle.length > 0;
  }
}

/** For requests that undici has not seen: there is nothing to be controlled yet. */
const noController: Dispatcher.DispatchController = {
  aborted: true,
  paused: false,
  reason: null,
  rawHeaders: [],
  abort() {},
  pause() {},
  resume() {},
};
