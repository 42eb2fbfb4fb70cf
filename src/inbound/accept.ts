import type { ServerResponse } from "node:http";

import { atEndOfTurn, type Clock } from "../clock.ts";
import type { AuthorizeRequest } from "./authorize.ts";
import type { CallerRequest } from "./caller-request.ts";
import type { CallsUnderWay, Connection } from "./connection.ts";
import type { RejectRequest } from "./reject.ts";
import { type CallDeps, InboundCall } from "./request.ts";
import type { ProxyRoute } from "./route.ts";

export interface AcceptOptions {
  /** The whole exchange as the caller sees it, milliseconds. */
  readonly timeoutMs: number;
  /** Largest body, bytes. */
  readonly maxBody: number;
}

export interface AcceptDeps {
  readonly authorize: AuthorizeRequest;
  readonly reject: RejectRequest;
  readonly underWay: CallsUnderWay;
  readonly route: ProxyRoute["route"];
  readonly call: Omit<CallDeps, "onOver">;
}

/** Makes a call of each request that may become one, and rejects the others. */
export interface AcceptRequests {
  onRequest(connection: Connection, request: CallerRequest, reply: ServerResponse): void;
  /** `Expect: 100-continue`: the caller waits for a word before it sends the body. */
  onExpectContinue(connection: Connection, request: CallerRequest, reply: ServerResponse): void;
}

/** How much of a money call's time is kept back to ask what became of it, at most, milliseconds. */
const reserveMaxMs = 2_000;

export function createAccept(options: AcceptOptions, deps: AcceptDeps): AcceptRequests {
  const { authorize, reject, underWay } = deps;
  const { timeoutMs } = options;
  const callDeps: CallDeps = { ...deps.call, onOver: underWay.over };

  function onRequest(connection: Connection, request: CallerRequest, reply: ServerResponse): void {
    // RFC 9112 section 9.6: nothing more is served on a connection that was told to close.
    if (connection.closing || connection.lastTaken) {
      request.resume();
      return;
    }
    // Node's parser drops, without a word, what came in one piece behind a request with an Upgrade that is ignored:
    // what comes next might be the second half of a request, and is taken for none.
    if (request.headers.upgrade !== undefined) connection.lastTaken = true;
    if (connection.lastTaken || underWay.isDraining()) reply.shouldKeepAlive = false;
    const authorized = authorize(request, connection.unixSocket);
    if ("problem" in authorized) {
      reject.withReply(connection, request, reply, authorized);
      return;
    }
    const problem = underWay.refusal();
    if (problem !== undefined) {
      reject.withReply(connection, request, reply, { requestId: authorized.requestId, problem });
      return;
    }
    const reserveMs =
      authorized.operation.reconcile === undefined ? 0 : Math.min(reserveMaxMs, timeoutMs / 10);
    const call = new InboundCall(authorized, connection, reply, { timeoutMs, reserveMs }, callDeps);
    underWay.begun(call);
    deps.route(call, request, reply);
  }

  return {
    onRequest,
    onExpectContinue(connection, request, reply) {
      const authorized = authorize(request, connection.unixSocket);
      const tooLarge = Number(request.headers["content-length"] ?? 0) > options.maxBody;
      const isWanted = !("problem" in authorized) && !tooLarge && underWay.refusal() === undefined;
      if (isWanted && !connection.closing) reply.writeContinue();
      // Without a "100 Continue" nobody knows whether the body comes: the connection ends with the refusal.
      else reply.shouldKeepAlive = false;
      onRequest(connection, request, reply);
    },
  };
}

/**
 * Lets a wave of connections in before requests are served. Node accepts one connection a turn of
 * the event loop, and each turn serves all that are in: the last of a wave of callers waited for
 * hundreds of turns. While more connections come than were open within the last second, requests
 * wait; until a turn brings none, and two milliseconds at most. Callers without keep-alive, each of
 * whose calls is a connection in the place of one that has closed, are no wave: a wait would only
 * make a turn more for each.
 */
export interface AcceptFirst {
  /**
   * A connection was accepted.
   * @param open how many are open now, with this one
   */
  connected(open: number): void;
  /** While connections come, what is served has to wait. */
  isHolding(): boolean;
  /** Keeps it until then; in the order in which it came. */
  hold(serve: () => void): void;
  /** Whatever else happens on a connection comes after the requests that came on it. */
  flush(): void;
}

const longestMs = 2;
/** So long the most that were open at once count as usual. */
const usualMs = 1_000;

export function createAcceptFirst(clock: Pick<Clock, "monotonic">): AcceptFirst {
  let held: (() => void)[] = [];
  let holding = false;
  let anyNew = false;
  let since = 0;
  let most = 0;
  let mostAt = -Infinity;

  function isWave(open: number, now: number): boolean {
    if (open <= most && now - mostAt < usualMs) return false;
    most = open;
    mostAt = now;
    return true;
  }

  function endOfTurn(): void {
    if (!holding) return;
    if (anyNew && clock.monotonic() - since < longestMs) {
      anyNew = false;
      atEndOfTurn(endOfTurn);
    } else {
      flush();
    }
  }

  function flush(): void {
    holding = false;
    const now = held;
    held = [];
    for (const serve of now) serve();
  }

  return {
    connected(open) {
      anyNew = true;
      const now = clock.monotonic();
      if (!isWave(open, now) || holding) return;
      holding = true;
      since = now;
      atEndOfTurn(endOfTurn);
    },
    isHolding: () => holding,
    hold: (serve) => void held.push(serve),
    flush,
  };
}
