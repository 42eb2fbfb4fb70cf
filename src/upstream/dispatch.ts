import { Readable } from "node:stream";

import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import { Problem, systemCode } from "../errors.ts";
import { type CancelReason, pause, type Waiting } from "../lib/async.ts";
import { type Token, withAuthorization } from "../token/token.ts";
import { type Response, type Call, CallerGone } from "./call.ts";
import { Exchange } from "./exchange.ts";

/**
 * Sends the call once with this token. Rejects with a `Problem` whose outcome says whether
 * a byte of it can have reached Presto, or with `CallerGone`.
 */
export type Send = (call: Call, token: Token) => Promise<Response>;

export interface SendOptions {
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  readonly clock: Clock;
}

/** The innermost step of the request path: one exchange on one connection of the pool. */
export function createSend(options: SendOptions): Send {
  const { dispatcher, clock } = options;
  return (call, token) => {
    call.requestWritten = false;
    if (call.cancelReason !== undefined) return Promise.reject(stopped(call.cancelReason));
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const exchange = new CallExchange(call, clock, resolve, reject);
    call.generation = token.generation;
    exchange.sendOver(dispatcher, {
      method: call.method,
      path: call.target,
      headers: withAuthorization(call.headers, token),
      body: call.body ?? null,
    });
    return promise;
  };
}

/** Responses up to this size are held until they are whole, so that a cut one is never passed on as a torn 200. */
const largestWholeResponse = 1024 * 1024;

/** One send of a call. */
class CallExchange extends Exchange implements Waiting {
  readonly #call: Call;
  readonly #clock: Clock;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  readonly #startedAt: number;
  #settled = false;
  #held = 0;
  #stream: Readable | undefined;

  constructor(
    call: Call,
    clock: Clock,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ) {
    super();
    this.#call = call;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#startedAt = clock.monotonic();
    call.waiting = this;
  }

  cancelled(why: CancelReason): void {
    if (this.#stream !== undefined) {
      this.#stream.destroy(
        new Problem("upstream-timeout", { detail: "time ran out while the answer was passed on" }),
      );
      return;
    }
    // Money first: what may have reached Presto is seen to its end, so that its outcome is known.
    if (why === "caller-gone" && this.#call.requestWritten && this.#call.operation.movesMoney) return;
    if (!this.#settle()) return;
    this.#reject(this.#call.requestWritten && why === "deadline" ? answerLate() : stopped(why));
    this.abort(new CallerGone());
  }

  protected begin(): Error | undefined {
    if (this.#settled) return new CallerGone();
    // undici writes right after this returns: from here on Presto may have seen it.
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
    if (this.#stream !== undefined) {
      this.#stream.push(null);
      return;
    }
    if (!this.#settle()) return;
    this.#resolve({ status: this.status, headers: this.headers, body: this.bytes.takeWhole() });
  }

  protected failed(error: Error): void {
    if (this.#stream !== undefined) this.#stream.destroy(error);
    else if (this.#settle()) this.#reject(this.#toProblem(error));
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
    if (this.#settle()) this.#resolve({ status: this.status, headers: this.headers, body: stream });
    this.#call.waiting = this;
    let room = true;
    for (const chunk of this.bytes.take()) room = stream.push(chunk);
    if (!room) controller.pause();
  }

  /** Settles once: true for whoever is first, and then brings the end. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#call.waiting = undefined;
    this.#call.upstreamMs += this.#clock.monotonic() - this.#startedAt;
    return true;
  }

  #toProblem(error: Error): Problem {
    if (error instanceof ConnectError) return fromConnectError(error);
    if (!this.#call.requestWritten) {
      return new Problem("upstream-unreachable", {
        detail: "the connection to Presto was lost before anything was sent",
        cause: error,
      });
    }
    const code = systemCode(error);
    if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") return answerLate();
    return new Problem("upstream-broken", {
      detail:
        "the connection broke, or the answer was malformed, after the request was sent; Presto may have acted",
      proxyStatus: code === "UPSTREAM_RESET" ? "connection_terminated" : "http_response_incomplete",
      cause: error,
    });
  }
}

/** What a call ends with that was stopped before a byte of it was written. */
export function stopped(why: CancelReason): Error {
  if (why === "caller-gone") return new CallerGone();
  return new Problem("upstream-timeout", {
    detail: "no connection to Presto was had in time; nothing was sent",
    outcome: "not-sent",
    proxyStatus: "connection_timeout",
  });
}

function answerLate(): Problem {
  return new Problem("upstream-timeout", { detail: "Presto did not answer in time; it may have acted" });
}

function fromConnectError(error: ConnectError): Problem {
  switch (error.kind) {
    case "unreachable":
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

/** Milliseconds before the second and third try. */
const pauses = [50, 250] as const;

/**
 * Tries again where no connection was had, so not a byte was written: the one failure that
 * proves by itself that Presto did nothing. Nothing else is ever sent again here.
 */
export function withReconnect(send: Send, clock: Clock): Send {
  async function again(call: Call, token: Token, problem: unknown, tries: number): Promise<Response> {
    const wait = pauses[tries];
    if (wait === undefined || !mayTryAgain(call, problem)) throw problem;
    if ((await pause(call, clock, wait)) !== "elapsed") throw problem;
    return send(call, token).catch((next: unknown) => again(call, token, next, tries + 1));
  }
  return (call, token) => send(call, token).catch((problem: unknown) => again(call, token, problem, 0));
}

/** Where an egress proxy refuses the login, the next try would be refused as well, and may lock it out. */
function mayTryAgain(call: Call, problem: unknown): boolean {
  if (!(problem instanceof Problem) || call.requestWritten) return false;
  return problem.code === "upstream-unreachable" && problem.proxyStatus !== "proxy_configuration_error";
}

/** What knows whether a call may leave, and is told what became of those that did. */
export interface EgressGate {
  /** Why calls are kept back, in one sentence; undefined while they are not. Asked for each call: it must cost nothing. */
  blockedReason(): string | undefined;
  /** Presto answered a call. @param sentAt monotonic time of its sending, or of something before that */
  answered(response: Response, sentAt: number): void;
  /** A call ended without an answer. */
  failed(error: unknown): void;
}

export interface EgressGateOptions {
  readonly gate: EgressGate;
  /** The reply to a call that is kept back. */
  readonly refuse: (reason: string) => Error;
}

/**
 * Keeps a call back that would leave from an address that is not registered, at the last
 * moment before it is sent: it may have waited for its turn while that became known. What
 * becomes of the others is told to the gate.
 */
export function withEgressGate(send: Send, { gate, refuse }: EgressGateOptions): Send {
  return (call, token) => {
    const reason = gate.blockedReason();
    if (reason !== undefined) {
      // What was written before was another send.
      call.requestWritten = false;
      return Promise.reject(refuse(reason));
    }
    return send(call, token).then(
      (response) => {
        gate.answered(response, call.arrivedAt);
        return response;
      },
      (error: unknown) => {
        gate.failed(error);
        throw error;
      },
    );
  };
}
