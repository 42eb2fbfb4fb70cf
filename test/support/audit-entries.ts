import type { Entry } from "../../src/audit/line.ts";

/** The line of a money call that is about to be sent. */
export function begun(call: string, reference = `REF-${call}`): Entry {
  return {
    type: "call-begun",
    call,
    request_id: `request-${call}`,
    operation: "wallet.confirm",
    references: [reference],
  };
}

/** The line of one that was not sent after all. */
export function refused(call: string): Entry {
  return { type: "call-ended", call, operation: "wallet.confirm", outcome: "not-sent", open: false };
}
