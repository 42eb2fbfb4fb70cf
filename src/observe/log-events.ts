import { type Clock, systemClock } from "../clock.ts";
import type { EgressEvent } from "../egress-ip/check.ts";
import type { CallFinished } from "../upstream/call.ts";
import type { ConnectionRefused, Subscriber } from "./events.ts";
import { writeAudit } from "./log-audit.ts";
import { isoTime, type LogFields } from "./log-fields.ts";
import { writeMoney } from "./log-money.ts";
import { writeRenewal } from "./log-renewal.ts";
import type { Log } from "./log.ts";

/**
 * Writes the events to the log: one line for each call, and one for each of the rest.
 * Lines about money and about the token have `audit: true`; `caller_gone` and `cut_off` are there
 * only when true, `method` and `path` only of a call that was refused. Times are milliseconds. Nothing of a body or a query is known here.
 */
export function logEvents(log: Log, clock: Pick<Clock, "monotonic"> = systemClock): Subscriber {
  const writeRefused = createRefusedLine(log, clock);
  const writeStoreFailed = createStoreLine(log, clock);
  return (event) => {
    switch (event.type) {
      case "call-finished":
        writeCall(log, event);
        break;
      case "token-changed":
        log.write("info", "A token is in hand that was not before.", {
          generation: event.generation,
          token_id: event.id,
          expires_at: event.expiresAt === null ? null : event.expiresAt.toISOString(),
          audit: true,
        });
        break;
      case "token-rejected":
        log.write("warn", "Presto answered 401 to a token.", auditOf(event));
        break;
      case "token-accepted":
        log.write("info", "Presto accepts again a token that it had answered 401 to.", auditOf(event));
        break;
      case "store-failed":
        writeStoreFailed(event);
        break;
      case "peer-certificate":
        log.write("debug", "Presto's certificate was seen.", { certificate_ends_at: isoTime(event.validTo) });
        break;
      case "connect-failed":
        log.write("warn", "No connection to Presto could be made.", {}, event.error);
        break;
      case "connection-refused":
        writeRefused(event);
        break;
      case "last-good-addresses":
        if (event.serving) {
          log.write(
            "warn",
            "No resolver answers for a name. The addresses that were last good serve, and TLS proves who is there.",
            { host: event.host },
          );
        } else log.write("info", "A resolver answers again for a name.", { host: event.host });
        break;
      case "latch-changed": {
        const { name: latch, reason, ready } = event;
        if (reason !== undefined)
          log.write("info", "Not ready: a condition does not hold.", { latch, ready, reason });
        else if (ready) log.write("info", "Ready: every condition holds.", { latch, ready });
        else log.write("info", "A condition of readiness holds; another one does not yet.", { latch, ready });
        break;
      }
      case "warning":
        log.write("warn", event.message, {}, event.cause);
        break;
      case "unasked-bytes":
        log.write(
          "warn",
          "Bytes came on a connection to Presto on which nothing was asked. It is not used again: the next answer on it could be another call's.",
        );
        break;
      case "circuit-changed":
        if (event.isOpen)
          log.write(
            "warn",
            "Presto has asked for a pause: calls that move no money are kept from it for that time.",
          );
        else log.write("info", "Presto answers again: the pause that it had asked for is over.");
        break;
      case "money-unguarded":
      case "outcome-open":
      case "outcomes-changed":
      case "outcome-settled":
      case "outcome-given-up":
      case "completed-after-failed":
      case "answer-to-another":
        writeMoney(log, event);
        break;
      case "audit-availability":
      case "audit-interfered":
      case "audit-head":
        writeAudit(log, event);
        break;
      case "egress-checked":
      case "egress-address-seen":
      case "egress-verdict-changed":
      case "egress-latch-changed":
        writeEgress(log, event);
        break;
      default:
        writeRenewal(log, event);
    }
  };
}

/** Milliseconds between two lines about connections that were refused: they come in floods. */
const refusedEveryMs = 10_000;

function createRefusedLine(log: Log, clock: Pick<Clock, "monotonic">): (event: ConnectionRefused) => void {
  let untold = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return ({ most }) => {
    untold += 1;
    const now = clock.monotonic();
    if (now - toldAt < refusedEveryMs) return;
    log.write(
      "error",
      "Callers' connections were closed without a reply, because as many are open as may be. Look for a caller that keeps too many, and at this process's limit of open files (ulimit -n).",
      { connections: untold, most },
    );
    untold = 0;
    toldAt = now;
  };
}

/** A store that is away is asked again within seconds: the same failure is told once in so many milliseconds. */
const storeFailedEveryMs = 60_000;

function createStoreLine(
  log: Log,
  clock: Pick<Clock, "monotonic">,
): (event: { readonly error: unknown }) => void {
  let told: { readonly message: string; readonly at: number } | undefined;
  return ({ error }) => {
    const message = error instanceof Error ? error.message : "";
    const now = clock.monotonic();
    if (told?.message === message && now - told.at < storeFailedEveryMs) return;
    told = { message, at: now };
    log.write(
      "warn",
      "The token store could not be read; if a token is in hand, it goes on serving.",
      {},
      error,
    );
  };
}

function auditOf({ generation, id }: { readonly generation: number; readonly id: string }): LogFields {
  return { generation, token_id: id, audit: true };
}

function writeCall(log: Log, call: CallFinished): void {
  const level = levelOf(call);
  if (!log.enabled(level)) return;
  log.call(
    level,
    {
      request_id: call.requestId,
      operation: call.operation,
      method: call.method,
      path: call.path,
      outcome: call.outcome,
      status: call.status,
      code: call.code,
      upstream_ms: hundredths(call.upstreamMs),
      total_ms: hundredths(call.totalMs),
      sends: call.sends,
      generation: call.generation,
      peer: call.peer,
      trace_id: call.traceId,
      caller_gone: call.callerGone ? true : undefined,
      cut_off: call.cutOff ? true : undefined,
      transaction: call.transaction?.status,
      reference: call.transaction?.reference,
      audit: call.movesMoney ? true : undefined,
    },
    call.cause,
  );
}

function levelOf(call: CallFinished): "info" | "warn" | "error" {
  if (call.code === "internal-error" || call.cutOff) return "error";
  // Somebody has to look whether the money moved.
  if (call.outcome === "unknown") return call.movesMoney ? "error" : "warn";
  return call.code !== undefined && call.status >= 500 ? "warn" : "info";
}

function hundredths(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** What is told of the address that this process leaves from. That calls are blocked, and that they leave again, are audit lines. */
function writeEgress(log: Log, event: EgressEvent): void {
  switch (event.type) {
    case "egress-checked": {
      const { name, address, error, changed } = event;
      if (error === undefined) log.write("debug", "A check URL answered.", { check_url: name, address });
      else {
        log.write(
          changed ? "warn" : "debug",
          "A check URL did not tell an address; that closes nothing.",
          { check_url: name },
          error,
        );
      }
      break;
    }
    case "egress-address-seen": {
      const { registered } = event;
      const fields = { addresses: event.addresses.join(", "), registered };
      if (registered === false) {
        log.write("warn", "Calls leave from an address that is not in PRESTO_EGRESS_IPS.", fields);
      } else log.write("info", "The address that calls leave from is known.", fields);
      break;
    }
    case "egress-verdict-changed": {
      const { verdict, evidence } = event;
      log.write(
        verdict === "registered" || verdict === "unknown" ? "info" : "warn",
        "What the last exchanges with Presto show has changed.",
        { verdict, evidence: evidence.join(" ") },
      );
      break;
    }
    case "egress-latch-changed":
      if (event.reason === undefined) {
        log.write("info", "Calls leave again.", { audit: true });
        break;
      }
      log.write("error", "Calls are kept back, so that none leaves from an address that is not registered.", {
        reason: event.reason,
        audit: true,
      });
      break;
  }
}
