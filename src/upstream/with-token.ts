import { Problem } from "../errors.ts";
import type { TokenSource } from "../token/source.ts";
import type { Token } from "../token/token.ts";
import type { TokenOrNone } from "../token/waiting.ts";
import { type Call, CallerGone, discard, isJson, type Response } from "./call.ts";
import type { Send } from "./dispatch.ts";

/** Who may send, and who has to wait: a bounded number of calls each. */
export interface SendLimiter {
  /** Takes a turn to send, if one is free. */
  tryAcquire(): boolean;
  /** Waits for a turn, and takes it. Rejects with a `Problem` or `CallerGone`. */
  acquire(call: Call): Promise<void>;
  /** The turn is over. */
  release(): void;
  /** Counts a call as waiting, unless as many wait as may: then answers false. */
  tryEnqueue(): boolean;
  /** Counts a call as waiting that was admitted before. */
  enqueue(): void;
  dequeue(): void;
}

export interface WithTokenDeps {
  readonly tokens: TokenSource;
  readonly limiter: SendLimiter;
}

/** Most sends of one call (ATTEMPTS). */
const mostAttempts = 5;

/** Brings one call to its end: an answer of Presto's, or a rejection with a `Problem` or `CallerGone`. */
export type Perform = (call: Call) => Promise<Response>;

/** A 401 that is too large to hold would keep its connection, and its turn, while another token is waited for: it goes on without its content. */
function withoutLarge401(response: Response): Response {
  if (response.status !== 401 || Buffer.isBuffer(response.body)) return response;
  discard(response);
  return {
    status: response.status,
    headers: response.headers.filter(tellsNothingOfContent),
    body: Buffer.alloc(0),
  };
}

/** For a flat list of fields without those of the content, each with its value. */
function tellsNothingOfContent(_part: string, index: number, headers: readonly string[]): boolean {
  return !/^content-(type|encoding)$/i.test(headers[index - (index % 2)] ?? "");
}

/** Seconds: by then a rejected token may be tried again. */
const retryAfterSeconds = 5;

/**
 * Where the two paths meet: the request takes the live token, and nothing else does.
 *
 * A call is sent again only after a 401, which proves that Presto did nothing, and only
 * with a token that this call has not been refused with (P5 to P7 of the renewal
 * protocol). Every other end, known or unknown, is the call's end.
 */
export function withToken(send: Send, { tokens, limiter }: WithTokenDeps): Perform {
  /** A token and a turn, both at once: while a call waits for the one, the other may change. */
  async function begin(call: Call): Promise<Token> {
    for (;;) {
      const token = tokens.ready() ?? (await held(call));
      if (limiter.tryAcquire()) return token;
      await takeTurn(call, token);
      if (tokens.isCurrent(call, token)) return token;
      tokens.release(call, token);
      limiter.release();
    }
  }

  async function takeTurn(call: Call, token: Token): Promise<void> {
    try {
      await limiter.acquire(call);
    } catch (error) {
      tokens.release(call, token);
      throw error;
    }
  }

  async function held(call: Call): Promise<Token> {
    if (!limiter.tryEnqueue())
      throw new Problem("overloaded", { detail: "as many calls wait as may", retryAfter: 1 });
    let end: TokenOrNone;
    try {
      end = await tokens.waitForToken(call);
    } finally {
      limiter.dequeue();
    }
    if (end.kind === "token") return end.token;
    if (end.kind === "interrupted" && end.why === "caller-gone") throw new CallerGone();
    throw new Problem("no-token", {
      detail: end.renewing
        ? "a renewal is under way and did not bring a token in time; nothing was sent"
        : "no token is in hand that Presto accepts; nothing was sent. See /readyz and /status of the admin listener",
      retryAfter: retryAfterSeconds,
    });
  }

  /** Another token and a turn, or undefined: then the 401 in hand is the answer. */
  async function next(call: Call, refused: ReadonlySet<string>): Promise<Token | undefined> {
    limiter.enqueue();
    let end: TokenOrNone;
    try {
      end = await tokens.afterRejection(call, refused);
    } finally {
      limiter.dequeue();
    }
    if (end.kind !== "token") return undefined;
    const { token } = end;
    if (limiter.tryAcquire()) return token;
    return takeTurn(call, token).then(
      () => token,
      () => undefined,
    );
  }

  async function sendOnce(call: Call, token: Token): Promise<Response> {
    let turnKept = false;
    try {
      const response = withoutLarge401(await send(call, token));
      if (!Buffer.isBuffer(response.body)) {
        turnKept = true;
        response.body.once("close", () => limiter.release());
      }
      if (response.status === 401) tokens.reject(token, isJson(response));
      else if (response.status >= 200 && response.status < 300 && isJson(response))
        tokens.proveAlive(token, call.arrivedAt);
      return response;
    } finally {
      if (!turnKept) limiter.release();
      tokens.release(call, token);
    }
  }

  return async (call) => {
    let token = await begin(call);
    let response = await sendOnce(call, token);
    if (response.status !== 401) return response;

    const refused = new Set<string>();
    while (response.status === 401 && call.attempts < mostAttempts) {
      refused.add(token.id);
      const another = await next(call, refused);
      if (another === undefined) break;
      token = another;
      try {
        const again = await sendOnce(call, token);
        discard(response);
        response = again;
      } catch (error) {
        // Nothing of this send got out, so what Presto said to the last one stands.
        if (!call.requestWritten) break;
        throw error;
      }
    }
    return response;
  };
}
