import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import type { Secret } from "../secret.ts";
import type { ProbeAnswer } from "./probe.ts";

export interface AskOptions {
  /** A pool that is used for one question and closed after it, so that each goes over a connection of its own. */
  readonly openPool: () => Dispatcher;
  /** Made-up transaction reference that is asked for. */
  readonly reference: string;
  /** Milliseconds for one question. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Asks Presto for a transaction that does not exist, with a token: harmless, and the answer shows whether the token lives. */
export function createAsk(options: AskOptions): (token: Secret) => Promise<ProbeAnswer> {
  const path = `/api/institutions/v1/wallet/transaction/${options.reference}`;
  return async (token) => {
    const pool = options.openPool();
    const stop = new AbortController();
    const timer = options.clock.after(options.timeoutMs, () => stop.abort());
    try {
      const { statusCode, headers, body } = await pool.request({
        method: "GET",
        path,
        headers: { accept: "application/json", authorization: `Bearer ${token.reveal()}` },
        signal: stop.signal,
      });
      return judge(statusCode, String(headers["content-type"] ?? ""), await body.text());
    } catch {
      return "other";
    } finally {
      timer.cancel();
      await pool.destroy();
    }
  };
}

/** Only what is in Presto's own JSON shape counts: a page of a gateway says nothing about a token. */
function judge(status: number, type: string, text: string): ProbeAnswer {
  if (!/^application\/([a-z0-9.-]+\+)?json\b/i.test(type) || !isObject(text)) return "other";
  if (status >= 200 && status < 300) return "success";
  if (status === 401) return "unauthorized";
  return status === 404 || status === 422 ? "not-found" : "other";
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
