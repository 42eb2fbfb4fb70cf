import { Agent } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import { callOverSocket } from "../support/socket-call.ts";
import { walletPaths } from "../support/wallet-call.ts";
import type { RunPlan } from "./money-kills-plan.ts";
import { type Told, toldBy, wordIn } from "./money-kills-told.ts";

/** One confirm, as its caller saw it. */
export interface Attempt {
  readonly requestId: string;
  /** `performance.now()`. */
  readonly begunAt: number;
  /** Both undefined while it is under way. */
  endedAt: number | undefined;
  told: Told | undefined;
}

/** Whoever wants one transaction to be paid. */
export interface Caller {
  readonly plan: RunPlan;
  readonly reference: string;
  readonly attempts: readonly Attempt[];
  /** What it was told and was not so. */
  readonly lies: readonly string[];
  /** Resolves when it knows, or gives up. */
  readonly done: Promise<void>;
}

/** What Presto's own books say. */
export interface Books {
  /** How often the money of a transaction has moved. */
  moved(reference: string): number;
  status(reference: string): string;
}

export interface CallerDeps {
  /** Sockets of the sidecars that it may call. */
  readonly sockets: readonly [string, ...string[]];
  readonly books: Books;
  /** `PRESTO_TIMEOUT` and `PRESTO_SETTLE`: by then a confirm is over, whatever became of it. */
  readonly overMs: number;
  readonly isStopped: () => boolean;
}

/** A caller that follows the docs asks for so long, and then asks people; any gives up by then where nobody listens. */
const patienceMs = 12_000;
const askEveryMs = 600;
/** Pauses of an HTTP client between its tries. */
const backOff = [60, 120, 240, 480, 960, 0];
const retried: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export function startCaller(plan: RunPlan, reference: string, deps: CallerDeps): Caller {
  const attempts: Attempt[] = [];
  const lies: string[] = [];
  const agent = new Agent({ keepAlive: plan.caller === "http-client", maxSockets: 1 });
  const startedAt = performance.now();
  const twinId = `run-${plan.number}.twin`;

  async function confirm(requestId = idOfNext()): Promise<Told> {
    const number = attempts.length + 1;
    const isFirst = number === 1;
    const attempt: Attempt = { requestId, begunAt: performance.now(), endedAt: undefined, told: undefined };
    attempts.push(attempt);
    const reply = await callOverSocket(socketFor(number), {
      method: "POST",
      path: walletPaths.confirm,
      headers: { "X-Request-Id": requestId },
      body: JSON.stringify({ transaction_reference: reference }),
      ...(requestId === twinId ? {} : { agent }),
      ...(isFirst ? { bodyAfterMs: plan.bodyAfterMs, leavesAfterMs: plan.leavesAfterMs } : {}),
    });
    const told = toldBy(reply);
    attempt.endedAt = performance.now();
    attempt.told = told;
    const lie = lieIn(told);
    if (lie !== undefined) lies.push(`${requestId} was told ${told.kind} (${told.status}): ${lie}`);
    return told;
  }

  function idOfNext(): string {
    const number = attempts.filter(({ requestId }) => requestId !== twinId).length + 1;
    return number === 1 ? firstId(plan) : laterId(plan, number);
  }

  /** Any of them, in turn: as behind a load balancer. */
  function socketFor(number: number): string {
    return deps.sockets[(plan.number + number) % deps.sockets.length] ?? deps.sockets[0];
  }

  function lieIn({ kind, word, names, retryable, status }: Told): string | undefined {
    const moved = deps.books.moved(reference);
    if ((kind === "completed" || word === "completed") && moved === 0) return "nothing has moved";
    if (kind === "completed" && names !== reference) return "it is about another transaction";
    if ((kind === "unclear" || kind === "duplicate") && retryable) return "it must not be retryable";
    // Some faults of the questions say so early on purpose.
    if (word === "failed" && plan.question.effect === undefined && deps.books.status(reference) !== "failed")
      return "it has not failed";
    return kind === "off-the-table" ? `no row of the table is about it (${status})` : undefined;
  }

  /** As HTTP clients do: they know statuses and broken connections, and nothing of money. */
  async function retry(): Promise<void> {
    const twin =
      plan.twinAfterMs === undefined ? undefined : pause(plan.twinAfterMs).then(() => confirm(twinId));
    await tryAgain();
    await twin;
  }

  async function tryAgain(): Promise<void> {
    let tries = 0;
    while (!deps.isStopped() && tries < backOff.length) {
      const { kind, status } = await confirm();
      // It is as patient as it takes a sidecar to be there again, so that each meets the next one.
      if (kind === "nobody" && performance.now() - startedAt < patienceMs) {
        await pause(60);
        continue;
      }
      if (kind !== "nobody" && kind !== "nothing" && !retried.has(status)) return;
      await pause(backOff[tries] ?? 0);
      tries += 1;
    }
  }

  /** The table of docs/money.md. */
  async function followDocs(): Promise<void> {
    while (!deps.isStopped()) {
      const told = await confirm();
      switch (told.kind) {
        case "completed":
        case "refused":
        case "off-the-table":
          return;
        case "nobody":
        case "not-sent":
          if (told.kind === "not-sent" && !told.retryable) return;
          await pause(Math.max(100, told.waitMs ?? 0));
          break;
        case "duplicate":
        case "unclear":
        case "nothing":
          if (told.word === "completed" || !(await askUntilSafe())) return;
      }
      if (performance.now() - startedAt > patienceMs) return;
    }
  }

  /** @returns whether the same may be sent again */
  async function askUntilSafe(): Promise<boolean> {
    const sent = attempts.findLast(({ told }) => told?.kind === "unclear" || told?.kind === "nothing");
    const safeAt = (sent?.begunAt ?? startedAt) + deps.overMs;
    for (let tries = 0; performance.now() - startedAt < patienceMs; tries += 1) {
      await pause(askEveryMs);
      if (deps.isStopped()) return false;
      const askedAt = performance.now();
      const path = `${walletPaths.transaction}/${reference}`;
      const reply = await callOverSocket(socketFor(tries), { method: "GET", path });
      const word = wordIn(reply, reference);
      if (word === "completed") {
        if (deps.books.moved(reference) === 0)
          lies.push("Presto was said to say completed: nothing has moved");
        return false;
      }
      if ((word === "failed" || word === "pending") && askedAt >= safeAt) return true;
    }
    return false;
  }

  const done = (plan.caller === "http-client" ? retry() : followDocs()).finally(() => agent.destroy());
  return { plan, reference, attempts, lies, done };
}

/** The request id of a run's first confirm: what its fault goes by. */
export function firstId({ idOf }: Pick<RunPlan, "idOf">): string {
  return `run-${idOf}.1`;
}

export function laterId({ number: run }: Pick<RunPlan, "number">, number: number): string {
  return `run-${run}.${number}`;
}
