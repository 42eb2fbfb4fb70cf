import { Problem } from "../errors.ts";
import type { TokenSource } from "../token/source.ts";
import type { Token } from "../token/token.ts";
import type { TokenOrNone } from "../token/waiting.ts";
import { type Call, type CallEnd, CallerGone, discard, isJson, type Perform, type Response } from "./call.ts";
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
  /** Hears of each response. Undefined for questions of our own. */
  readonly circuit?: { heard(response: Response): void };
}

/** Most sends of one call (ATTEMPTS). */
const mostAttempts = 5;

/** Seconds: by then a rejected token may be tried again. */
const retryAfterSeconds = 5;

/**
 * Where the two paths meet: the request takes the live token, and nothing else does.
 *
 * A call is sent again only after a 401, which proves that Presto did nothing, and only
 * with a token that this call has not been refused with (P5 to P7 of the renewal
 * protocol). Every other end, known or unknown, is the call's end.
 */
export function withToken(send: Send, deps: WithTokenDeps): Perform {
  const waits = createWaits(deps);
  return (call, end) => new TokenCall(send, deps, waits, call, end).start();
}

/**
 * One call, as its token goes. Nearly every call finds a token and a turn at once and is
 * answered with something else than a 401: then there is no promise on its way.
 */
class TokenCall implements CallEnd {
  readonly #send: Send;
  readonly #deps: WithTokenDeps;
  readonly #waits: Waits;
  readonly #call: Call;
  readonly #end: CallEnd;
  #token: Token | undefined;
  /** Tokens that this call was refused with. */
  #refused: Set<string> | undefined;
  /** The last 401, while another token is waited for and tried: it stands if nothing else comes. */
  #unauthorized: Response | undefined;

  constructor(send: Send, deps: WithTokenDeps, waits: Waits, call: Call, end: CallEnd) {
    this.#send = send;
    this.#deps = deps;
    this.#waits = waits;
    this.#call = call;
    this.#end = end;
  }

  start(): void {
    const token = this.#deps.tokens.ready();
    if (token !== undefined && this.#deps.limiter.tryAcquire()) {
      this.#sendWith(token);
      return;
    }
    this.#waits.first(this.#call).then(
      (found) => this.#sendWith(found),
      (error: unknown) => this.#end.failed(error),
    );
  }

  #sendWith(token: Token): void {
    this.#token = token;
    try {
      this.#send(this.#call, token, this);
    } catch (error) {
      this.failed(error);
    }
  }

  answered(given: Response): void {
    const response = withoutLarge401(given);
    const { status, body } = response;
    const token = this.#sent();
    if (status === 401) this.#deps.tokens.reject(token, isJson(response));
    else if (status === 429 || status === 503) this.#deps.circuit?.heard(response);
    else if (status >= 200 && status < 300 && isJson(response))
      this.#deps.tokens.proveAlive(token, this.#call.arrivedAt);
    // A response that is passed on as it comes keeps its turn until it has.
    if (Buffer.isBuffer(body)) this.#deps.limiter.release();
    else body.once("close", () => this.#deps.limiter.release());
    this.#deps.tokens.release(this.#call, token);
    if (status === 401 && this.#call.attempts < mostAttempts) this.#afterRejection(token, response);
    else this.#end.answered(response);
  }

  failed(error: unknown): void {
    this.#deps.limiter.release();
    this.#deps.tokens.release(this.#call, this.#sent());
    // Where nothing of this send got out, what Presto said to the last one stands.
    if (this.#unauthorized !== undefined && !this.#call.requestWritten)
      this.#end.answered(this.#unauthorized);
    else this.#end.failed(error);
  }

  #sent(): Token {
    if (this.#token === undefined) throw new Error("a send has ended that was not begun");
    return this.#token;
  }

  #afterRejection(token: Token, response: Response): void {
    this.#unauthorized = response;
    this.#refused ??= new Set();
    this.#refused.add(token.id);
    const stands = (): void => this.#end.answered(response);
    this.#waits.another(this.#call, this.#refused).then((another) => {
      if (another === undefined) stands();
      else this.#sendWith(another);
    }, stands);
  }
}

/** The waits of a call that finds no token, or no turn, at once. */
interface Waits {
  /** A token and a turn, both at once: while a call waits for the one, the other may change. Rejects with a `Problem` or `CallerGone`. */
  first(call: Call): Promise<Token>;
  /** Another token and a turn, or undefined: then the 401 in hand is the answer. */
  another(call: Call, refused: ReadonlySet<string>): Promise<Token | undefined>;
}

function createWaits({ tokens, limiter }: WithTokenDeps): Waits {
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
    call.waitedFor = "token";
    let end: TokenOrNone;
    try {
      end = await tokens.waitForToken(call);
    } finally {
      limiter.dequeue();
    }
    if (end.kind === "token") return end.token;
    if (end.kind === "cancelled" && end.why === "caller-gone") throw new CallerGone();
    throw new Problem("no-token", {
      detail: end.renewing
        ? "a renewal is under way and did not bring a token in time; nothing was sent"
        : "no token is in hand that Presto accepts; nothing was sent. See /readyz and /status of the admin listener",
      retryAfter: retryAfterSeconds,
    });
  }

  return {
    async first(call) {
      for (;;) {
        const token = tokens.ready() ?? (await held(call));
        if (limiter.tryAcquire()) return token;
        await takeTurn(call, token);
        if (tokens.isCurrent(call, token)) return token;
        tokens.release(call, token);
        limiter.release();
      }
    },
    async another(call, refused) {
      limiter.enqueue();
      let end: TokenOrNone;
      try {
        end = await tokens.afterRejection(call, refused);
      } finally {
        limiter.dequeue();
      }
      if (end.kind !== "token") return undefined;
      if (!limiter.tryAcquire()) await takeTurn(call, end.token);
      return end.token;
    },
  };
}

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
