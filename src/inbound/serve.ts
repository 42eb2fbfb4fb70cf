import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { Upstream } from "../policy/authority.ts";
import { type Response, CallerGone, discard } from "../upstream/call.ts";
import type { Reconcile } from "../upstream/reconcile.ts";
import type { Perform } from "../upstream/with-token.ts";
import { endLingering } from "./connection.ts";
import type { InboundCall } from "./request.ts";
import { renderProblem, renderRawProblem, writeResponse, writeProblem } from "./response.ts";

export interface ServeOptions {
  readonly perform: Perform;
  readonly askTransaction: Reconcile;
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** True once the sidecar drains: a connection then ends with the reply that is written. */
  readonly isLastReply: () => boolean;
}

/** Performs an accepted call whose body is in memory, and writes what came of it. */
export interface ServeCall {
  perform(call: InboundCall): void;
  /** Ends the call with a reply of the sidecar's own, before it was performed. */
  refuse(call: InboundCall, error: unknown): void;
}

export function createServeCall(options: ServeOptions): ServeCall {
  const { clock, upstream } = options;

  function answered(call: InboundCall, response: Response): void {
    call.phase = "replying";
    call.settle("answered", response.status);
    if (call.reply.destroyed) {
      discard(response);
      return;
    }
    closeIfLast(call);
    writeResponse(call.reply, response, call.requestId, upstream, (error) => call.cut(error));
  }

  /** Behind it nothing is due any more: replies to calls that were taken are all written. */
  function closeIfLast(call: InboundCall): void {
    if (options.isLastReply() && call.connection.calls.at(-1) === call) call.reply.shouldKeepAlive = false;
  }

  async function failed(call: InboundCall, error: unknown): Promise<void> {
    const unknown = error instanceof Problem && error.outcome === "unknown";
    const transaction = unknown ? await options.askTransaction(call, call.lastAt) : undefined;
    refuse(call, error, transaction);
  }

  function refuse(call: InboundCall, error: unknown, transaction?: Awaited<ReturnType<Reconcile>>): void {
    call.phase = "replying";
    if (error instanceof CallerGone) {
      call.settle(call.attempts > 0 ? "unknown" : "not-sent", 0);
      // A half-closed caller is told nothing either: what it asked for was not begun.
      if (call.reply.destroyed) return;
      const { calls, socket } = call.connection;
      const before = calls[calls.indexOf(call) - 1];
      if (before === undefined) socket.destroy();
      // What was sent before is still answered.
      else before.reply.once("close", () => socket.destroySoon());
      return;
    }
    const problem = toProblem(error, call);
    call.settle(
      problem.outcome,
      problem.status,
      problem.code,
      problem.cause ?? (error instanceof Problem ? undefined : error),
    );
    if (call.reply.destroyed) return;
    const context = { requestId: call.requestId, actsTwice: call.operation.movesMoney, transaction };
    const { req: request } = call.reply;
    if (request.complete || call.connection.calls.length > 1) {
      closeIfLast(call);
      writeProblem(call.reply, renderProblem(problem, context));
    } else {
      endLingering(call.connection, renderRawProblem(problem, context, new Date(clock.now())), clock);
      call.repliedOnSocket();
    }
  }

  return {
    perform(call) {
      call.phase = "performing";
      options
        .perform(call)
        .then(
          (response) => answered(call, response),
          (error: unknown) => failed(call, error),
        )
        // A fault of our own must not leave the caller without an end.
        .catch((error: unknown) => refuse(call, error));
    },
    refuse,
  };
}

/** Anything that is not a problem yet is a fault of this program: its text stays in the log. */
function toProblem(error: unknown, call: InboundCall): Problem {
  if (error instanceof Problem) return error;
  return new Problem("internal-error", {
    detail: "the sidecar failed; its log has the cause",
    outcome: call.attempts > 0 ? "unknown" : "not-sent",
    cause: error,
  });
}
