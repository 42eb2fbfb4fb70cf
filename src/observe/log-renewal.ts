import type { IssueCallEnd, RenewalEnd, RenewalEvent } from "../renewal/types.ts";
import { isoTime, type LogFields } from "./log-fields.ts";
import type { Log } from "./log.ts";

/**
 * What is told of a renewal. All lines but those of its single steps are audit lines:
 * they are what is left to read after a token was made, lost or killed by somebody else.
 */
export function writeRenewal(log: Log, event: RenewalEvent): void {
  switch (event.type) {
    case "renewal-moved": {
      const { from, to, reason, intent } = event;
      log.write("debug", "The renewal went from one state to another.", { from, to, reason, intent });
      break;
    }
    case "issue-begun":
      log.write("info", "An issue call is begun; from here on the stored token may be dead.", {
        intent: event.intent,
        reason: event.reason,
        audit: true,
      });
      break;
    case "issue-ended": {
      const { intent, end, cause, ms } = event;
      const fields = { intent, end, ms: Math.round(ms), audit: true };
      log.write(end === "issued" ? "info" : "warn", issueSentences[end], fields, cause);
      break;
    }
    case "renewal-ended": {
      const { level, message, fields, cause } = lineOf(event.end);
      log.write(
        level,
        message,
        { end: event.end.kind, ...fields, next_try_at: when(event.nextTryAt), audit: true },
        cause,
      );
      break;
    }
    case "unexplained-death":
      log.write(
        "warn",
        "The stored token was found dead, and nobody of ours had begun to replace it. See whether somebody else issues tokens on this account.",
        { generation: event.generation, token_id: event.id, deaths_24h: event.count, audit: true },
      );
      break;
    case "clock-alarm-changed":
      if (event.reason === undefined) {
        log.write("info", "The clock is right again: tokens are issued by plan.", { audit: true });
        break;
      }
      log.write("error", "The clock makes each new token due at once: none is issued by plan.", {
        reason: event.reason,
        audit: true,
      });
      break;
    case "record-put-back":
    case "elsewhere-changed":
      writeRecordEvent(log, event);
      break;
    case "alarm-changed":
      if (event.alarm === undefined) {
        log.write(
          "info",
          "The alarm is over: a person cleared it, or its record is gone. Tokens may be issued again.",
          { audit: true },
        );
        break;
      }
      log.write("error", "The alarm is latched: no token is issued until a person clears it.", {
        reason: event.alarm.reason,
        stopped_at: isoTime(event.alarm.at),
        audit: true,
      });
      break;
  }
}

const issueSentences: Readonly<Record<IssueCallEnd, string>> = {
  issued: "Presto issued a token.",
  refused: "Presto refused to issue a token, so nothing was done.",
  "not-sent": "The issue call was not sent, so nothing was done.",
  unclear:
    "Presto may have executed the issue call, or may yet do so; that is settled before another is made.",
};

interface Line {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly fields: LogFields;
  readonly cause?: unknown;
}

function lineOf(end: RenewalEnd): Line {
  switch (end.kind) {
    case "renewed": {
      const { generation, tokenId, expiresAt } = end;
      return {
        level: "info",
        message: "A new token is stored.",
        fields: {
          generation,
          token_id: tokenId,
          expires_at: expiresAt === null ? null : isoTime(expiresAt),
        },
      };
    }
    case "nothing-to-do":
      return {
        level: "info",
        message: "No token had to be issued.",
        fields: { detail: end.detail },
      };
    case "young-token":
      return {
        level: "warn",
        message: "The stored token seems dead, and is too young for that to be believed.",
        fields: { detail: end.detail },
      };
    case "stopped":
      return {
        level: "warn",
        message: "No token is issued while the alarm is latched.",
        fields: { detail: end.detail },
      };
    case "elsewhere":
      return {
        level: "warn",
        message: "No token is issued by a record that is another side's.",
        fields: { detail: end.detail },
      };
    case "refused":
      return {
        level: "warn",
        message: end.credentials
          ? "Presto refuses the account's e-mail or password; no token is issued until they change."
          : "Presto refused the renewal.",
        fields: { detail: end.detail },
      };
    case "unreachable":
      return {
        level: "warn",
        message: "The renewal could not be carried out.",
        fields: { detail: end.detail },
        cause: end.cause,
      };
    case "lost":
      return {
        level: "warn",
        message: "A token that was issued died before it could be stored.",
        fields: { detail: end.detail },
      };
    case "shut-down":
      return {
        level: "info",
        message: "The process ends; the record says what is left of the renewal to the next one.",
        fields: {},
      };
  }
}

function when(time: Date | undefined): string | null | undefined {
  return time === undefined ? undefined : isoTime(time);
}

/** What others did to the token's record: audit lines, like all that is told of a renewal. */
function writeRecordEvent(
  log: Log,
  event: Extract<RenewalEvent, { readonly type: "record-put-back" | "elsewhere-changed" }>,
): void {
  if (event.type === "record-put-back") {
    const { generation, id, lastWriter, wasGone } = event;
    log.write(
      "warn",
      wasGone
        ? "The record had been taken away from the store. The token that lives was written back; see who removes it."
        : "Another record had been put in the place of ours. The token that lives was written back; see who writes there.",
      { generation, token_id: id, last_writer: lastWriter, audit: true },
    );
    return;
  }
  const { reason } = event;
  if (reason === undefined)
    log.write("info", "The record in the store is this side's own again.", { audit: true });
  else
    log.write("warn", "The record in the store is another side's: nothing is issued by it.", {
      reason,
      audit: true,
    });
}
