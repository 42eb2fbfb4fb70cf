import { isRetryable, Problem } from "../../src/errors.ts";
import { cancel } from "../../src/lib/async.ts";
import { movesMoney, type Operation, walletOperations } from "../../src/policy/operations.ts";
import { type Call, type CallFinished, CallerGone, performed } from "../../src/upstream/call.ts";
import type { CallEnd, CallRecord } from "./call-record.ts";
import { judgeCall } from "./judge-call.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimSidecar } from "./sim-sidecar.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";

/** All callers of a world, and what became of their calls. */
export interface Callers {
  /** Lets apps call this process, for as long as it lives. */
  callAt(sidecar: SimSidecar): void;
  callOf(id: string): CallRecord;
  moneyMoved(transaction: string): void;
  /** Calls that were begun, and not finished yet. */
  underWay(): number;
  counts(): { readonly calls: number; readonly failed: number };
  /** No new ones. */
  stop(): void;
}

export interface CallersOptions {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  /** A call has ended; what may be claimed of it depends on the world. */
  readonly onEnd: (call: CallRecord, end: CallEnd, process: SimProcess) => void;
  /** Something was found while promises settled, where nobody would catch it. */
  readonly onError: (error: unknown) => void;
}

/** Later than its deadline by so much, a call has not ended. */
const slackMs = 1_000;

export function createCallers({
  scenario,
  timeline,
  random,
  story,
  onEnd,
  onError,
}: CallersOptions): Callers {
  const calls = new Map<string, CallRecord>();
  const moves = new Map<string, number>();
  let underWay = 0;
  let failed = 0;
  let stopped = false;

  function end(process: SimProcess, record: CallRecord, given: CallEnd): void {
    record.end = given;
    underWay -= 1;
    if (given.status !== 200) {
      failed += 1;
      story.tell(
        () => `${record.id} at ${process.name} ends: ${given.outcome} ${given.status} ${given.code}`,
      );
    }
    if (given.outcome === "connection-closed") return;
    judgeCall(record, given);
    onEnd(record, given, process);
  }

  function begin(sidecar: SimSidecar, operation: Operation, transaction: string): void {
    const { process } = sidecar;
    const { clock } = process;
    const call = createCall(`c${calls.size + 1}`, operation, clock.monotonic(), scenario.callDeadlineMs);
    const record: CallRecord = {
      id: call.target,
      operation,
      transaction,
      process: process.name,
      begunAt: timeline.now(),
      arrivedAt: call.arrivedAt,
      deadlineAt: call.deadlineAt,
      sends: [],
      connectFailed: false,
      callerGone: false,
      end: undefined,
    };
    calls.set(record.id, record);
    underWay += 1;
    process.onDeath(() => {
      if (record.end === undefined)
        end(process, record, { outcome: "connection-closed", status: 0, code: "-" });
    });
    const deadline = clock.after(scenario.callDeadlineMs, () => cancel(call, "deadline"));
    const last = clock.after(scenario.callDeadlineMs + slackMs, () => {
      throw new Violation("L2", `${record.id} has not ended ${slackMs} ms after its deadline`);
    });
    const hangUp = (): void => {
      record.callerGone = true;
      cancel(call, "caller-gone");
    };
    if (random.chance(0.03)) clock.after(random.between(0, 3_000), hangUp);
    performed(sidecar.perform, call)
      .then(
        ({ status }) => finish({ outcome: "answered", status, code: "-" }),
        (error: unknown) => finish(endOf(error), error instanceof Problem ? error : undefined),
      )
      .catch(onError);

    function finish(given: CallEnd, problem?: Problem): void {
      deadline.cancel();
      last.cancel();
      end(process, record, given);
      sidecar.note(toFinished(call, given));
      const again = problem !== undefined && isRetryable(problem, movesMoney(operation));
      if (again && random.chance(0.5) && !stopped)
        clock.after(random.between(200, 3_000), () => begin(sidecar, operation, transaction));
    }
  }

  return {
    callAt(sidecar) {
      const { process } = sidecar;
      const next = (): void => {
        if (stopped) return;
        const operation = random.pick(walletOperations);
        begin(sidecar, operation, `transaction ${calls.size + 1}`);
        process.deliver(random.between(0, 2 * scenario.callEveryMs), next);
      };
      process.deliver(random.between(0, scenario.callEveryMs), next);
    },
    callOf(id) {
      const call = calls.get(id);
      if (call === undefined) throw new Error(`nobody made the call ${id}`);
      return call;
    },
    moneyMoved(transaction) {
      const count = (moves.get(transaction) ?? 0) + 1;
      moves.set(transaction, count);
      if (count > 1) throw new Violation("money", `${transaction} moved money ${count} times`);
    },
    underWay: () => underWay,
    counts: () => ({ calls: calls.size, failed }),
    stop() {
      stopped = true;
    },
  };
}

function endOf(error: unknown): CallEnd {
  if (error instanceof CallerGone) return { outcome: "caller-gone", status: 0, code: "-" };
  if (error instanceof Problem) return { outcome: error.outcome, status: 0, code: error.code };
  throw error;
}

/** As the listener tells of it. */
function toFinished(call: Call, { outcome, status, code }: CallEnd): CallFinished {
  const callerGone = outcome === "caller-gone";
  return {
    type: "call-finished",
    requestId: call.requestId,
    operation: call.operation.name,
    movesMoney: movesMoney(call.operation),
    outcome: outcome === "answered" || outcome === "not-sent" ? outcome : "unknown",
    status,
    code,
    cause: undefined,
    upstreamMs: call.upstreamMs,
    totalMs: call.upstreamMs,
    sends: call.attempts,
    generation: call.generation,
    peer: "unix",
    callerGone,
    cutOff: false,
  };
}

function createCall(id: string, operation: Operation, now: number, timeoutMs: number): Call {
  return {
    requestId: id,
    operation,
    method: operation.method,
    target: id,
    headers: [],
    body: undefined,
    arrivedAt: now,
    deadlineAt: now + timeoutMs,
    lastAt: now + timeoutMs,
    reserve: () => true,
    cancelReason: undefined,
    waiting: undefined,
    requestWritten: false,
    attempts: 0,
    upstreamMs: 0,
    generation: undefined,
  };
}
