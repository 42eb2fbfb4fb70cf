import type { RenewalEnd } from "../renewal/types.ts";
import { isoTime } from "./iso-time.ts";
import type { Log, LogFields } from "./log.ts";
import type { IssueCallEnd, RenewalSignals } from "./signals.ts";

/**
 * Writes what is told of a renewal. All lines but those of its single steps are audit lines:
 * they are what is left to read after a token was made, lost or killed by somebody else.
 */
export function logRenewal(log: Log): RenewalSignals {
  return {
    renewalMoved({ from, to, reason, intent }) {
      log.write("debug", "The renewal went from one state to another.", { from, to, reason, intent });
    },
    issueBegun({ intent, reason }) {
      log.write("info", "An issue call is begun; from here on the stored token may be dead.", {
        intent,
        reason,
        audit: true,
      });
    },
    issueEnded({ intent, end, cause, ms }) {
      const fields = { intent, end, ms: Math.round(ms), audit: true };
      log.write(end === "issued" ? "info" : "warn", issueSentences[end], fields, cause);
    },
    renewalEnded(end, nextTryAt) {
      const { level, message, fields, cause } = lineOf(end);
      log.write(
        level,
        message,
        { end: end.kind, ...fields, next_try_at: when(nextTryAt), audit: true },
        cause,
      );
    },
    unexplainedDeath({ generation, id, count }) {
      log.write(
        "warn",
        "The stored token was found dead, and nobody of ours had begun to replace it. See whether somebody else issues tokens on this account.",
        { generation, token_id: id, deaths_24h: count, audit: true },
      );
    },
    alarmChanged(alarm) {
      if (alarm === undefined) {
        log.write("info", "A person cleared the alarm; tokens may be issued again.", { audit: true });
        return;
      }
      log.write("error", "The alarm is latched: no token is issued until a person clears it.", {
        reason: alarm.reason,
        stopped_at: isoTime(alarm.at),
        audit: true,
      });
    },
  };
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
    case "stopped":
      return {
        level: "warn",
        message: "No token is issued while the alarm is latched.",
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
