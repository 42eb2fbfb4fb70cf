import type { CallEnd, CallRecord } from "./call-record.ts";
import { Violation } from "./violation.ts";

/** What holds of every call in every world: the caller was told the truth. */
export function judgeCall(call: CallRecord, end: CallEnd): void {
  const last = call.sends.at(-1);
  switch (end.outcome) {
    case "not-sent": {
      const acted = call.sends.find((send) => send.executed || send.heard === undefined);
      if (acted !== undefined)
        throw new Violation("truth", `${call.id} ends not-sent, but it was sent with ${acted.token}`);
      return;
    }
    case "answered":
      if (
        last?.heard !== end.status &&
        !call.sends.some(({ heard }) => heard === end.status && end.status === 401)
      )
        throw new Violation(
          "truth",
          `${call.id} ends with ${end.status}, but Presto said ${last?.heard ?? "nothing"}`,
        );
      return;
    case "unknown":
      if (last === undefined) throw new Violation("truth", `${call.id} ends unknown, but it was never sent`);
      break;
    case "caller-gone":
    case "connection-closed":
  }
}
