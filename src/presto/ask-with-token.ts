import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import type { Secret } from "../secret.ts";
import { callOnce, type WholeAnswer } from "../upstream/request-once.ts";
import { isErrorShape, readJson } from "./json-answer.ts";
import type { ProbeAnswer } from "./probe.ts";

export interface AskOptions {
  /** A pool that is used for one question and closed after it, so that each goes over a connection of its own. */
  readonly openPool: () => Dispatcher;
  /** Made-up transaction reference that is asked for. */
  readonly reference: string;
  /** Milliseconds for one question. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Told each answer that came, and when its question was begun (monotonic). */
  readonly onAnswer?: (answer: WholeAnswer, begunAt: number) => void;
}

/** Asks Presto for a transaction that does not exist, with a token: harmless, and the answer shows whether the token lives. */
export function createAsk(options: AskOptions): (token: Secret) => Promise<ProbeAnswer> {
  const path = `/api/institutions/v1/wallet/transaction/${options.reference}`;
  return async (token) => {
    const stop = new AbortController();
    const timer = options.clock.after(options.timeoutMs, () => stop.abort());
    const headers = [
      ["accept", "application/json"],
      ["accept-encoding", "identity"],
      ["authorization", `Bearer ${token.reveal()}`],
    ].flat();
    const control = { mayBegin: () => true, signal: stop.signal };
    const begunAt = options.clock.monotonic();
    const end = await callOnce(options.openPool, { method: "GET", path, headers }, control);
    timer.cancel();
    if (end.kind !== "answered") return "other";
    options.onAnswer?.(end.answer, begunAt);
    return judge(end.answer);
  };
}

/** Only what is in Presto's own JSON shape counts: a page of a gateway says nothing about a token. */
function judge(answer: WholeAnswer): ProbeAnswer {
  const { status } = answer;
  const body = readJson(answer);
  if (body === undefined) return "other";
  if (status >= 200 && status < 300) return "success";
  if (status === 401) return isErrorShape(body) ? "unauthorized" : "other";
  return status === 404 || status === 422 ? "not-found" : "other";
}
