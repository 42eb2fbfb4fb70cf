import type { MoneyEvent } from "../money/events.ts";
import type { Log } from "./log.ts";

/**
 * What is told of calls that move money. These lines name no transaction: the id of the call leads to
 * its own line, which does where its end was unclear (log-events.ts).
 */
export function writeMoney(log: Log, event: MoneyEvent): void {
  if (event.type === "outcomes-changed") return;
  const facts = { request_id: event.requestId, operation: event.operation };
  switch (event.type) {
    case "money-unguarded":
      log.write(
        "warn",
        "A call that moves money is sent, and no transaction could be read of it: nothing keeps a second one back.",
        {
          ...facts,
          reason: event.reason,
        },
      );
      break;
    case "outcome-open":
      log.write("warn", "A call that moves money has no clear end.", {
        ...facts,
        unaskable: event.unaskable,
        audit: true,
      });
      break;
    case "outcome-settled":
      log.write(
        event.by === "person" ? "warn" : "info",
        event.by === "person"
          ? "A person has said what became of a call that moves money."
          : "Presto has said what became of a call that moves money.",
        { ...facts, end: event.status, ms: Math.round(event.ms), audit: true },
      );
      break;
    case "outcome-given-up":
      log.write(
        "error",
        "Nobody asks any more what became of a call that moves money: PRESTO_SETTLE_OUTCOMES has passed. A person has to find out (presto-sidecar outcomes).",
        { ...facts, audit: true },
      );
      break;
    case "completed-after-failed":
      log.write(
        "error",
        "Presto says completed of a transaction of which it had said failed. See whether it was asked for once more meanwhile: its money may have moved twice.",
        { ...facts, audit: true },
      );
      break;
    case "answer-to-another":
      log.write(
        "error",
        "Presto's answer to a call that moves money was about another transaction; nothing of it was passed on.",
        {
          ...facts,
          audit: true,
        },
      );
      break;
  }
}
