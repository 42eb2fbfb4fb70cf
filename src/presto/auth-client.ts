import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import { type CallEnd, callOnce, type WholeAnswer } from "../upstream/request-once.ts";
import type { AuthCallControl, Issuer } from "./issuer.ts";
import { authPaths, issueBody, readIssueAnswer, readResetAnswer, resetBody } from "./wire.ts";

export interface IssuerOptions {
  /**
   * A bare pool for one call: the connector of the proxy (same source address, same TLS), and
   * nothing that adds a token or sends again. It is destroyed after the call. Its limits on
   * time don't matter, since each call turns them off; its connector's limit does.
   */
  readonly openPool: () => Dispatcher;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** Told each answer that came, and when its call was begun (monotonic). */
  readonly onAnswer?: (answer: WholeAnswer, begunAt: number) => void;
}

/**
 * The auth endpoints over HTTP. A call that no byte of was written ends `not-sent`; after
 * that only an answer that says so clearly is anything but `unclear`. Nothing is sent twice.
 */
export function createIssuer({ openPool, clock, onAnswer }: IssuerOptions): Issuer {
  async function post(path: string, body: Buffer, control: AuthCallControl): Promise<CallEnd> {
    const headers = [
      ["content-type", "application/json"],
      ["accept", "application/json"],
      // Without it a gateway may compress an answer, and a token would be lost in it (RFC 9110 section 12.5.3).
      ["accept-encoding", "identity"],
    ].flat();
    const begunAt = clock.monotonic();
    const end = await callOnce(openPool, { method: "POST", path, headers, body }, control);
    if (end.kind === "answered") onAnswer?.(end.answer, begunAt);
    return end;
  }

  return {
    async issueToken(request, control) {
      const end = await post(authPaths.issue, issueBody(request), control);
      return end.kind === "answered" ? readIssueAnswer(end.answer, request, clock.now()) : end;
    },
    async resetPassword(account, newPassword, control) {
      const end = await post(authPaths.reset, resetBody(account, newPassword), control);
      return end.kind === "answered" ? readResetAnswer(end.answer, clock.now()) : end;
    },
  };
}
