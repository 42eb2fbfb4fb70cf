import type { Send } from "../egress/send.ts";
import type { EgressCheck } from "./egress-check.ts";

export interface WithEgressCheckOptions {
  readonly check: Pick<EgressCheck, "mayLeave" | "reason" | "answered" | "failed">;
  /** The reply to a call that is kept back. */
  readonly refuse: (reason: string) => Error;
}

/**
 * Keeps a call back that would leave from an address that is not registered, at the last
 * moment before it is sent: it may have waited for its turn while that became known. What
 * becomes of the others is told to the check.
 */
export function withEgressCheck(send: Send, { check, refuse }: WithEgressCheckOptions): Send {
  return (call, token) => {
    const reason = check.reason();
    if (reason !== undefined) {
      // What was written before was another send.
      call.written = false;
      return Promise.reject(refuse(reason));
    }
    return send(call, token).then(
      (answer) => {
        check.answered(answer, call.arrivedAt);
        return answer;
      },
      (error: unknown) => {
        check.failed(error);
        throw error;
      },
    );
  };
}
