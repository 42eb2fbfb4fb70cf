import { formatHead } from "../audit/line.ts";
import type { AuditEvent } from "../audit/types.ts";
import type { Log } from "./log.ts";

/** What is told of the record of money calls. The head is for whoever keeps the log elsewhere: it proves what came before it. */
export function writeAudit(log: Log, event: AuditEvent): void {
  switch (event.type) {
    case "audit-availability":
      if (event.unavailable === undefined) {
        log.write("info", "The record of money calls can be written again.", { audit: true });
        break;
      }
      log.write(
        "error",
        "The record of money calls can't be written. PRESTO_AUDIT_FULL says what becomes of such calls until it can.",
        { reason: event.unavailable.reason, audit: true },
        event.unavailable.cause,
      );
      break;
    case "audit-interfered":
      log.write(
        "error",
        "Somebody else has touched the file of the record of money calls; the chain goes on in a new file.",
        { reason: event.what, audit: true },
      );
      break;
    case "audit-head":
      log.write("info", "The head of the record of money calls.", {
        head: formatHead(event.head),
        file: event.file,
        audit: true,
      });
      break;
  }
}
