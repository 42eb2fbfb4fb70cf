import { Readable } from "node:stream";

import type { Dispatcher } from "undici";

import type { Clock, Timer } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import { Problem, systemCode } from "../errors.ts";
import type { CancelReason, Waiting } from "../lib/async.ts";
import { movesMoney } from "../policy/operations.ts";
import { type Token, withAuthorization } from "../token/token.ts";
import { AnswerToAnother, isAboutAnother } from "./answered-for.ts";
import { type Call, type CallEnd, CallerGone, type Response } from "./call.ts";
import { Exchange, type Sender } from "./exchange.ts";
import { IdleConnectionEnded } from "./kept-connection.ts";

/**
 * Sends the call once with this token. It ends with Presto's response, with a `Problem`
 * whose outcome says whether a byte of it can have reached Presto, or with `CallerGone`.
 */
export type Send = (call: Call, token: Token, end: CallEnd) => void;

/** What knows whether a call may leave, and is told what became of those that did. */
export interface EgressGate {
  /** Why calls are blocked, in one sentence; undefined while they are not. Asked for each call: it must cost nothing. */
  blockedReason(): string | undefined;
  /** Presto answered a call. @param sentAt monotonic time of its sending, or of something before that */
  answered(response: Response, sentAt: number): void;
  /** A call ended without a response. */
  failed(error: unknown): void;
}

export interface SendDeps {
  readonly connections: Sender;
  readonly clock: Clock;
  /** Undefined where nobody watches the address that calls leave from. */
  readonly egress?: {
    readonly gate: EgressGate;
    /** What a call that is blocked ends with. */
    readonly refuse: (reason: string) => Error;
  };
}

/** The innermost step of the request path: the egress gate, one exchange, and the tries that follow where no connection was had. */
export function createSend(deps: SendDeps): Send {
  return (call, token, end) => new CallSend(deps, call, token, end).start();
}

/** Milliseconds before the second and third try. */
const pauses = [50, 250] as const;

/** Responses up to this size are held until they are whole, so that a cut one is never passed on as a torn 200. */
const largestWholeResponse = 1024 * 1024;

/**
 * Where a send stands.
 *
 * | state       | waits for               | a cancelled call                                              |
 * |-------------|-------------------------|---------------------------------------------------------------|
 * | connecting  | a connection            | was not sent                                                  |
 * | pausing     | the next try            | ends with what the last try failed with                       |
 * | sent        | the whole response      | is unknown; one that moves money goes on if its caller went   |
 * | streaming   | the reader of a large one | has its stream cut                                          |
 * | over        | nothing                 |                                                               |
 */
type State = "connecting" | "pausing" | "sent" | "streaming" | "over";

/** One send of a call, from the gate to its end. */
class CallSend extends Exchange implements Waiting {
  readonly #deps: SendDeps;
  readonly #call: Call;
  readonly #token: Token;
  readonly #end: CallEnd;
  #state: State = "connecting";
  #startedAt = 0;
  #tries = 0;
  #held = 0;
  #stream: Readable | undefined;
  #pause: Timer | undefined;
  #problem: Problem | undefined;
  #isResent = false;

  constructor(deps: SendDeps, call: Call, token: Token, end: CallEnd) {
    super();
    this.#deps = deps;
    this.#call = call;
    this.#token = token;
    this.#end = end;
  }

  start(): void {
    // What was written before was another send.
    this.#call.requestWritten = false;
    if (isTooLate(this.#call, this.#deps.clock.monotonic())) {
      this.#state = "over";
      this.#end.failed(waitedTooLong(this.#call));
    } else {
      this.#connect();
    }
  }

  #connect(): void {
    const call = this.#call;
    const { egress } = this.#deps;
    // At the last moment: the call may have waited for its turn, or for this try, while it became known.
    const reason = egress?.gate.blockedReason();
    if (egress !== undefined && reason !== undefined) {
      this.#state = "over";
      call.waiting = undefined;
      this.#end.failed(this.#isResent ? this.#problem : egress.refuse(reason));
      return;
    }
    this.#state = "connecting";
    this.#startedAt = this.#deps.clock.monotonic();
    if (call.cancelReason !== undefined) {
      this.#fail(stopped(call.cancelReason));
      return;
    }
    call.waiting = this;
    call.generation = this.#token.generation;
    this.sendOver(this.#deps.connections, {
      method: call.method,
      path: call.target,
      headers: withAuthorization(call.headers, this.#token),
      body: call.body ?? null,
      fresh: this.#isResent,
    });
  }

  cancelled(why: CancelReason): void {
    switch (this.#state) {
      case "connecting":
        this.#fail(this.#isResent && why === "deadline" ? responseLate() : stopped(why));
        this.abort(new CallerGone());
        break;
      case "pausing":
        this.#pause?.cancel();
        this.#over();
        this.#end.failed(this.#problem);
        break;
      case "sent":
        // Money first: what may have reached Presto is seen to its end, so that its outcome is known.
        if (why === "caller-gone" && movesMoney(this.#call.operation)) return;
        this.#fail(why === "deadline" ? responseLate() : stopped(why));
        this.abort(new CallerGone());
        break;
      case "streaming":
        this.#stream?.destroy(
          new Problem("upstream-timeout", { detail: "time ran out while the answer was passed on" }),
        );
        break;
      case "over":
    }
  }

  protected begin(): Error | undefined {
    if (this.#state !== "connecting") return new CallerGone();
    if (isTooLate(this.#call, this.#deps.clock.monotonic())) return new TooLate();
    // undici writes right after this returns: from here on Presto may have seen it.
    this.#state = "sent";
    this.#call.requestWritten = true;
    this.#call.attempts += 1;
    return undefined;
  }

  protected received(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#stream !== undefined) {
      if (!this.#stream.push(chunk)) controller.pause();
      return;
    }
    this.bytes.add(chunk);
    if (this.#held + chunk.length <= largestWholeResponse && this.#call.reserve(chunk.length)) {
      this.#held += chunk.length;
    } else {
      this.#startStreaming(controller);
    }
  }

  protected ended(): void {
    if (this.#stream !== undefined) this.#stream.push(null);
    else this.#answer(this.bytes.takeWhole());
  }

  protected failed(error: Error): void {
    if (this.#stream !== undefined) {
      this.#stream.destroy(error);
      return;
    }
    if (this.#state !== "connecting" && this.#state !== "sent") return;
    if (error instanceof IdleConnectionEnded && this.#mayResend()) {
      this.#resend(error);
      return;
    }
    const problem = this.#toProblem(error);
    const pauseMs = pauses[this.#tries];
    // The one failure that proves by itself that Presto did nothing. Nothing else is ever sent again here.
    if (pauseMs !== undefined && mayTryAgain(this.#call, problem)) this.#tryAgainIn(pauseMs, problem);
    else this.#fail(problem);
  }

  /**
   * The one exception to that: a GET over a connection that had been idle for long, and was
   * closed under it before a byte of the response came (RFC 9110 section 9.2.2).
   */
  #mayResend(): boolean {
    return this.#call.method === "GET" && !this.#isResent && this.#call.cancelReason === undefined;
  }

  /** Over a fresh connection, once, and counted as a send of its own. From here on nothing proves that Presto has seen nothing. */
  #resend(error: Error): void {
    this.#problem = this.#toProblem(error);
    this.#isResent = true;
    this.#countTime();
    this.reset();
    this.#connect();
  }

  #tryAgainIn(ms: number, problem: Problem): void {
    this.#state = "pausing";
    this.#tries += 1;
    this.#problem = problem;
    this.#countTime();
    this.#deps.egress?.gate.failed(problem);
    if (this.#call.cancelReason !== undefined) {
      this.#over();
      this.#end.failed(problem);
      return;
    }
    this.#call.waiting = this;
    this.#pause = this.#deps.clock.after(ms, () => {
      if (this.#state === "pausing") this.#connect();
    });
  }

  /** Too large to hold: what came so far goes on as the head of a stream. */
  #startStreaming(controller: Dispatcher.DispatchController): void {
    const stream = new Readable({
      highWaterMark: 64 * 1024,
      read: () => controller.resume(),
      destroy: (error, done) => {
        controller.abort(error ?? new CallerGone());
        done(error);
      },
    });
    // Whoever reads it listens, too; while nobody does yet, an error must not end the process.
    stream.on("error", () => {});
    this.#stream = stream;
    this.#answer(stream);
    this.#state = "streaming";
    this.#call.waiting = this;
    let room = true;
    for (const chunk of this.bytes.take()) room = stream.push(chunk);
    if (!room) controller.pause();
  }

  #answer(body: Response["body"]): void {
    if (this.#state !== "sent") return;
    this.#over();
    const response = { status: this.status, headers: this.headers, body };
    if (isAboutAnother(this.#call, response)) {
      this.isOutOfStep = true;
      this.#deps.egress?.gate.answered(response, this.#call.arrivedAt);
      this.#end.failed(new AnswerToAnother());
      return;
    }
    this.#deps.egress?.gate.answered(response, this.#call.arrivedAt);
    this.#end.answered(response);
  }

  #fail(error: Error): void {
    this.#over();
    this.#deps.egress?.gate.failed(error);
    this.#end.failed(error);
  }

  #over(): void {
    if (this.#state !== "pausing") this.#countTime();
    this.#state = "over";
    this.#call.waiting = undefined;
  }

  #countTime(): void {
    const endedAt = this.#deps.clock.monotonic();
    const { tries, requestWritten: wasWritten } = this.#call;
    this.#call.upstreamMs += endedAt - this.#startedAt;
    tries?.push({ startedAt: this.#startedAt, endedAt, wasWritten, status: this.status });
  }

  #toProblem(error: Error): Problem {
    if (this.#isResent && this.#state === "connecting" && this.#problem !== undefined) return this.#problem;
    if (error instanceof ConnectError) return fromConnectError(error);
    if (error instanceof TooLate) return notSentInTime(error.message);
    if (!this.#call.requestWritten) {
      return new Problem("upstream-unreachable", {
        detail: "the connection to Presto was lost before anything was sent",
        cause: error,
      });
    }
    const cause = error instanceof IdleConnectionEnded ? error.cause : error;
    const code = systemCode(cause);
    if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") return responseLate();
    return new Problem("upstream-broken", {
      detail:
        "the connection broke, or the answer was malformed, after the request was sent; Presto may have acted",
      proxyStatus: code === "UPSTREAM_RESET" ? "connection_terminated" : "http_response_incomplete",
      cause,
    });
  }
}

/** So much of its time, in parts of it and in milliseconds at most, a call must still have when it is sent. */
const leastLeft = { part: 0.05, ms: 1_000 } as const;

/** Money first: a call that has waited until there is hardly time for an answer would end unknown, where it can still end not-sent. */
function isTooLate({ arrivedAt, deadlineAt }: Call, now: number): boolean {
  return deadlineAt - now < Math.min(leastLeft.ms, leastLeft.part * (deadlineAt - arrivedAt));
}

/** Its turn, its token or its connection came when there was no time left for an answer. */
class TooLate extends Error {
  override readonly name = "TooLate";

  constructor() {
    super("hardly any time was left for an answer");
  }
}

/** Where an egress proxy refuses the login, the next try would be refused as well, and may lock it out. */
function mayTryAgain(call: Call, problem: Problem): boolean {
  if (call.requestWritten) return false;
  return problem.code === "upstream-unreachable" && problem.proxyStatus !== "proxy_configuration_error";
}

/** What a call ends with that was stopped before a byte of it was written. */
function stopped(why: CancelReason): Error {
  if (why === "caller-gone") return new CallerGone();
  return notSentInTime("no connection to Presto was had in time");
}

/** Ends as if time had run out where the call waited: it makes no difference that a moment of it was left. */
function waitedTooLong({ waitedFor }: Call): Problem {
  switch (waitedFor) {
    case "turn":
      return new Problem("overloaded", {
        detail: "time ran out as this call's turn came; nothing was sent",
        retryAfter: 1,
      });
    case "token":
      return new Problem("no-token", {
        detail: "time ran out as a token came; nothing was sent",
        retryAfter: 1,
      });
    case undefined:
      return notSentInTime("hardly any time was left for an answer");
  }
}

function notSentInTime(detail: string): Problem {
  return new Problem("upstream-timeout", {
    detail: `${detail}; nothing was sent`,
    outcome: "not-sent",
    proxyStatus: "connection_timeout",
  });
}

function responseLate(): Problem {
  return new Problem("upstream-timeout", { detail: "Presto did not answer in time; it may have acted" });
}

function fromConnectError(error: ConnectError): Problem {
  switch (error.kind) {
    case "unreachable":
      if (error.proxyStatus === "connection_limit_reached")
        return new Problem("overloaded", {
          detail: `${error.message}; nothing was sent`,
          retryAfter: 1,
          cause: error,
        });
      return new Problem("upstream-unreachable", {
        detail: `Presto could not be reached: ${error.message}`,
        proxyStatus: error.proxyStatus,
        cause: error,
      });
    case "untrusted":
      return new Problem("upstream-untrusted", {
        detail:
          error.proxyStatus === "tls_alert_received"
            ? `nothing was sent: ${error.message}`
            : `nothing was sent to a server that did not prove that it is Presto: ${error.message}; see PRESTO_CA_FILE and PRESTO_TLS_PINS`,
        proxyStatus: error.proxyStatus,
        cause: error,
      });
    case "timeout":
      return new Problem("upstream-timeout", {
        detail: `no connection to Presto was had in time (${error.message}); nothing was sent`,
        outcome: "not-sent",
        proxyStatus: error.proxyStatus,
        cause: error,
      });
  }
}
