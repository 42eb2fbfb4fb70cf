import type { OnOwnResponse } from "../../src/app/renewal.ts";
import { ConnectError } from "../../src/connect/errors.ts";
import type { IssueEnd, IssueRequest, Issuer } from "../../src/presto/auth.ts";
import type { RequestControl } from "../../src/upstream/request-once.ts";
import type { SimAddresses } from "./addresses.ts";
import { httpDate } from "./exchange.ts";
import type { Fate, Faults } from "./faults.ts";
import type { IssueCall } from "./issue-call.ts";
import type { Presto } from "./presto.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimToken } from "./sim-token.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

export interface SimIssuerOptions {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly faults: Faults;
  readonly presto: Presto;
  readonly addresses: SimAddresses;
  /** Calls of all processes that Presto executes after the next of another. */
  readonly heldBack: (() => void)[];
  /** The first byte is about to go. */
  readonly onBegin: (process: SimProcess, askedAt: number) => IssueCall;
  /** Presto has made a token for the call. */
  readonly onExecuted: (call: IssueCall) => void;
  /** The process that called has heard of its token. */
  readonly onHeard: (process: SimProcess, token: SimToken) => void;
  /** A connection could not be made. */
  readonly onConnectFailed: (process: SimProcess, error: ConnectError) => void;
}

const unclear = (why: string): IssueEnd => ({ kind: "unclear", cause: new Error(why) });

/** The way of an issue call to Presto and back, and what Presto makes of it, at a time of its own choosing. */
export function createSimIssuer(
  options: SimIssuerOptions,
  process: SimProcess,
  onResponse: OnOwnResponse,
): Pick<Issuer, "issueToken"> {
  const { scenario, timeline, random, story, faults, presto, addresses, heldBack } = options;
  const { issueTimeoutMs, settleMs } = scenario.times;

  /** How long Presto takes. */
  function executionMs(fate: Fate): number {
    if (fate.fault !== "executed-late" && fate.isHeldBack !== true) return random.between(10, 400);
    const latest = settleMs + (scenario.settleTooShort ? 40_000 : -500);
    return random.between(0, issueTimeoutMs) + random.between(0, Math.max(0, latest));
  }

  return {
    issueToken(request, { mayBegin, signal }) {
      const { promise, resolve } = Promise.withResolvers<IssueEnd>();
      if (!process.isAlive()) return promise;
      const fate = faults.fate(process, "issue");
      const askedAt = timeline.now();
      const begunAt = process.clock.monotonic();
      let call: IssueCall | undefined;
      if (fate.fault === "crash") {
        timeline.after(0, () => process.kill("before it could issue"));
        return promise;
      }
      signal.addEventListener("abort", () => resolve(call === undefined ? notSent() : unclear("given up")), {
        once: true,
      });
      process.deliver(random.between(1, 80), () => {
        if (signal.aborted) return;
        const isUnreachable = presto.isDown() && random.chance(0.5);
        if (isUnreachable) options.onConnectFailed(process, noConnection());
        if (isUnreachable || fate.fault === "not-sent" || !mayBegin()) {
          resolve(notSent());
          return;
        }
        call = options.onBegin(process, askedAt);
        story.tell(() => `${process.name} sends an issue call`);
        const { leave } = call;
        const answer = (end: IssueEnd, status?: number): void => {
          if (end.kind === "unclear") leave();
          if (status !== undefined) hear(status, begunAt);
          resolve(end);
        };
        travel({ call, request, signal, fate, answer });
      });
      return promise;
    },
  };

  interface Travel {
    readonly call: IssueCall;
    readonly request: IssueRequest;
    readonly signal: RequestControl["signal"];
    readonly fate: Fate;
    /** Undefined once its client has heard something else. */
    readonly answer: ((end: IssueEnd, status?: number) => void) | undefined;
  }

  /** A response has come: from Presto's application in JSON, from whatever stands before it as a page. */
  function hear(status: number, begunAt: number): void {
    const isPresto = status < 500 && status !== 403;
    if (isPresto) {
      addresses.letIn(process, begunAt);
      presto.tellTime(process);
    }
    onResponse(
      {
        status,
        headers: isPresto ? [...json, "date", httpDate(presto.wallClock())] : page,
        body: isPresto ? emptyObject : emptyPage,
      },
      begunAt,
    );
  }

  function travel(travelling: Travel): void {
    const { call, fate } = travelling;
    const depart = (): void => {
      call.depart();
      timeline.after(fate.toMs, () => arrive(travelling));
    };
    if (fate.fault === "crash-after")
      timeline.after(random.between(0, fate.toMs + fate.backMs + 400), () =>
        process.kill("during its issue call"),
      );
    if (fate.fault === "restart")
      timeline.after(random.between(0, fate.toMs + fate.backMs + 400), () => faults.restart(process));
    const pauses = fate.fault === "pause" || fate.fault === "suspend";
    if (!pauses) {
      depart();
      return;
    }
    const isSuspended = fate.fault === "suspend";
    if (fate.isHeldBack !== true && random.chance(0.5)) {
      // Between the last look at the lock and the first byte there is always a moment.
      timeline.after(0, () => faults.pause(process, isSuspended, true));
      process.deliver(0, depart);
    } else {
      depart();
      timeline.after(random.between(0, fate.toMs + fate.backMs + 400), () =>
        faults.pause(process, isSuspended),
      );
    }
  }

  function arrive(travelling: Travel): void {
    const { call, fate, answer = () => {} } = travelling;
    if (!addresses.isRegistered(process)) {
      call.settle();
      process.deliver(fate.backMs, () => answer(unclear("a firewall answered 403"), 403));
      return;
    }
    if (fate.fault === "never-arrived") {
      if (random.chance(0.5)) process.deliver(fate.backMs, () => answer(unclear("connection reset")));
      return;
    }
    if (fate.fault === "refused") {
      call.settle();
      const status = random.pick([422, 429] as const);
      process.deliver(fate.backMs, () =>
        answer({ kind: "refused", status, detail: `Presto said ${status}.` }, status),
      );
      return;
    }
    const answersBadly = fate.fault === "gateway-error" || presto.isDown();
    if (presto.isDown()) faults.count("gateway-error");
    if (answersBadly) {
      process.deliver(fate.backMs + random.between(0, 3_000), () =>
        answer(unclear("a gateway answered 502"), 502),
      );
      if (random.chance(0.5)) return;
    }
    executeLater(answersBadly ? { ...travelling, answer: undefined } : travelling);
  }

  function executeLater(travelling: Travel): void {
    const { call, fate } = travelling;
    /** Until when Presto may choose its time: past SETTLE only in a world that is about that. */
    const untilMs = (): number =>
      scenario.settleTooShort ? Number.POSITIVE_INFINITY : call.executableUntil() - timeline.now() - 1;
    if (untilMs() < 0) {
      call.settle();
      return;
    }
    let coming = timeline.after(Math.min(executionMs(fate), untilMs()), () => execute(travelling));
    const putForward = (ms: number): void => {
      if (coming.run === undefined || coming.at <= timeline.now() + ms) return;
      timeline.cancel(coming);
      coming = timeline.after(ms, () => execute(travelling));
    };
    if (fate.isHeldBack === true)
      heldBack.push(() => putForward(Math.min(random.between(0, 900), untilMs())));
    process.onDeath(() => {
      const ms = untilMs();
      if (coming.at > timeline.now() + ms) putForward(random.between(0, ms));
    });
  }

  function execute({ call, request, signal, fate, answer }: Travel): void {
    call.settle();
    if (!presto.isPassword(request.account.password)) {
      process.deliver(fate.backMs, () =>
        answer?.({ kind: "refused", status: 401, detail: "Presto refused e-mail and password." }, 401),
      );
      return;
    }
    if (request.expiresAt.getTime() <= presto.wallClock()) {
      process.deliver(fate.backMs, () =>
        answer?.({ kind: "refused", status: 422, detail: "Presto wants a day to come." }, 422),
      );
      return;
    }
    const token = presto.issue(process.name, request.expiresAt);
    const { secret, issuedAt, expiresAt } = token;
    options.onExecuted(call);
    for (const release of heldBack.splice(0)) release();
    if (answer === undefined) return;
    const isDeaf = timeline.now() >= scenario.deaf.from && timeline.now() < scenario.deaf.until;
    if (isDeaf) faults.count("junk-answer");
    if (presto.isDown() || fate.fault === "answer-lost") {
      if (random.chance(0.5)) process.deliver(fate.backMs, () => answer(unclear("connection reset")));
      return;
    }
    process.deliver(fate.backMs, () => {
      if (isDeaf || fate.fault === "junk-answer") {
        answer(unclear("a 200 without a token"), 200);
        return;
      }
      if (signal.aborted) return;
      story.tell(() => `${process.name} hears of ${token.name}`);
      options.onHeard(process, token);
      answer({ kind: "issued", issued: { token: secret, name: "simulated", issuedAt, expiresAt } }, 200);
    });
  }
}

const json = ["content-type", "application/json"];
const page = ["content-type", "text/html"];
const emptyObject = Buffer.from("{}");
const emptyPage = Buffer.from("<!doctype html>");

function noConnection(): ConnectError {
  return new ConnectError("unreachable", "refused", "connection_refused");
}

function notSent(): IssueEnd {
  return { kind: "not-sent", cause: new Error("no connection") };
}
