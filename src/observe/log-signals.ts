import { isoTime } from "./iso-time.ts";
import { logEgress } from "./log-egress.ts";
import { logRenewal } from "./log-renewal.ts";
import type { Log } from "./log.ts";
import type { FinishedCall, Signals } from "./signals.ts";

/**
 * Writes the signals to the log: one line for each call, and one for each event.
 * Lines about money and about the token have `audit: true`; `caller_gone` is there only when
 * true. Times are milliseconds. Nothing of a body, a query or a header is known here.
 */
export function logSignals(log: Log): Signals {
  return {
    callFinished(call) {
      const level = levelOf(call);
      if (!log.enabled(level)) return;
      log.call(
        level,
        {
          request_id: call.requestId,
          operation: call.operation,
          outcome: call.outcome,
          status: call.status,
          code: call.code,
          upstream_ms: hundredths(call.upstreamMs),
          total_ms: hundredths(call.totalMs),
          sends: call.sends,
          generation: call.generation,
          peer: call.peer,
          caller_gone: call.callerGone ? true : undefined,
          audit: call.movesMoney ? true : undefined,
        },
        call.cause,
      );
    },
    tokenChanged: ({ generation, id, expiresAt }) =>
      log.write("info", "A token is in hand that was not before.", {
        generation,
        token_id: id,
        expires_at: expiresAt === null ? null : expiresAt.toISOString(),
        audit: true,
      }),
    tokenRejected: ({ generation, id }) =>
      log.write("warn", "Presto answered 401 to a token.", {
        generation,
        token_id: id,
        audit: true,
      }),
    tokenAccepted: ({ generation, id }) =>
      log.write("info", "Presto accepts again a token that it had answered 401 to.", {
        generation,
        token_id: id,
        audit: true,
      }),
    storeFailed: (error) =>
      log.write(
        "warn",
        "The token store could not be read; if a token is in hand, it goes on serving.",
        {},
        error,
      ),
    peerCertificate: (validTo) =>
      log.write("debug", "Presto's certificate was seen.", { certificate_ends_at: isoTime(validTo) }),
    connectFailed: (error) => log.write("warn", "No connection to Presto could be made.", {}, error),
    latchChanged: (latch, reason) =>
      reason === undefined
        ? log.write("info", "A readiness latch is open.", { latch })
        : log.write("info", "A readiness latch is closed.", { latch, reason }),
    ...logRenewal(log),
    ...logEgress(log),
    warned: (message, cause) => log.write("warn", message, {}, cause),
  };
}

function levelOf(call: FinishedCall): "info" | "warn" | "error" {
  if (call.code === "internal-error") return "error";
  // Somebody has to look whether the money moved.
  if (call.outcome === "unknown") return call.movesMoney ? "error" : "warn";
  return call.code !== undefined && call.status >= 500 ? "warn" : "info";
}

function hundredths(ms: number): number {
  return Math.round(ms * 100) / 100;
}
