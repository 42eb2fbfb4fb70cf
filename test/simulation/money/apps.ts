import { isRetryable, Problem } from "../../../src/errors.ts";
import { cancel } from "../../../src/lib/async.ts";
import { walletOperations } from "../../../src/policy/operations.ts";
import { type Call, CallerGone, fieldOf, type Response } from "../../../src/upstream/call.ts";
import type { Random } from "../random.ts";
import type { Story } from "../story.ts";
import type { Timeline } from "../timeline.ts";
import { Violation } from "../violation.ts";
import type { MoneyScenario } from "./scenario.ts";
import type { Serving, Site } from "./site.ts";
import { spell } from "./spelling.ts";

/** What an app was told of one call. */
export interface Told {
  /** `broken`: its connection ended without a word. `nobody`: there was none to be had. */
  readonly kind: "answered" | "problem" | "broken" | "nobody";
  readonly status: number;
  readonly code: string;
  readonly outcome: string;
  /** The word for it, in `Presto-Transaction` or in the problem document. */
  readonly transaction: string | undefined;
  readonly retryable: boolean;
  readonly retryAfter: number | undefined;
  readonly body: string;
}

/** One confirm of an app's, on its way. */
export interface SimCall {
  readonly id: string;
  /** As Presto has it. */
  readonly reference: string;
  readonly site: Site;
  readonly call: Call;
  /** How often it was written. */
  sends: number;
}

/**
 * `follows`: does what docs/money.md tells callers to. `repeats`: sends the same again whatever went
 * wrong, as HTTP clients do. Both send it to one sidecar; `strays` sends it to any.
 */
export type Habit = "follows" | "repeats" | "strays";

export interface Apps {
  /** An app begins to pay. */
  pay(reference: string, site: Site, habit: Habit): void;
  callOf(id: string): SimCall | undefined;
  underWay(): number;
  /** What each app holds to be true in the end, by the reference. */
  beliefs(): ReadonlyMap<string, readonly Belief[]>;
}

export type Belief = "paid" | "refused" | "asks-people";

export interface AppsOptions {
  readonly scenario: MoneyScenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly sites: readonly Site[];
  /** An app was told something. */
  readonly onTold: (call: SimCall, told: Told) => void;
  readonly onError: (error: unknown) => void;
}

const confirm = walletOperations.find(({ nature }) => nature === "moves");
const mostTries = 14;

export function createApps(options: AppsOptions): Apps {
  const { scenario, timeline, random, story, sites, onTold, onError } = options;
  const calls = new Map<string, SimCall>();
  const beliefs = new Map<string, Belief[]>();
  let underWay = 0;

  function believe(reference: string, belief: Belief): void {
    beliefs.set(reference, [...(beliefs.get(reference) ?? []), belief]);
  }

  function send(reference: string, site: Site, body: string, done: (told: Told) => void): void {
    const serving = site.serving();
    if (serving === undefined) {
      done({ ...silence, kind: "nobody" });
      return;
    }
    const sent = createSimCall(reference, site, serving, body);
    let isOver = false;
    underWay += 1;
    const finish = (told: Told): void => {
      if (isOver) return;
      isOver = true;
      underWay -= 1;
      onTold(sent, told);
      done(told);
    };
    // What was written when the process died may still come, or not.
    let written: Told | undefined;
    serving.process.onDeath(() => {
      const left = random.chance(0.5) ? written : undefined;
      timeline.after(random.between(0, 5), () => finish(left ?? { ...silence, kind: "broken" }));
    });
    const hear = (told: Told): void => {
      written = told;
      story.tell(() => `${sent.id} (${reference}) is told: ${describe(told)}`);
      timeline.after(random.between(0, 5), () => {
        if (serving.process.isAlive()) finish(told);
      });
    };
    perform(serving, sent, hear, finish);
  }

  function createSimCall(reference: string, site: Site, { process }: Serving, body: string): SimCall {
    if (confirm === undefined) throw new Error("no call moves money");
    const id = `c${calls.size + 1}`;
    const now = process.clock.monotonic();
    const { timeoutMs } = scenario;
    const call: Call = {
      requestId: id,
      operation: confirm,
      method: confirm.method,
      target: confirm.template,
      headers: ["x-request-id", id],
      body: Buffer.from(body),
      arrivedAt: now,
      deadlineAt: now + timeoutMs - Math.min(2_000, timeoutMs / 10),
      lastAt: now + timeoutMs,
      reserve: () => true,
      cancelReason: undefined,
      waiting: undefined,
      requestWritten: false,
      attempts: 0,
      upstreamMs: 0,
      generation: undefined,
    };
    const sent: SimCall = { id, reference, site, call, sends: 0 };
    calls.set(id, sent);
    story.tell(() => `${id} asks ${process.name} to confirm ${reference}: ${body}`);
    return sent;
  }

  function perform(
    { process, sidecar }: Serving,
    { id, call }: SimCall,
    hear: (told: Told) => void,
    finish: (told: Told) => void,
  ): void {
    const { clock } = process;
    const deadline = clock.after(call.deadlineAt - call.arrivedAt, () => cancel(call, "deadline"));
    const last = clock.after(scenario.timeoutMs + 1_000, () =>
      onError(new Violation("end", `${id} has not ended a second after its deadline`)),
    );
    if (random.chance(0.06))
      clock.after(random.between(0, scenario.timeoutMs), () => {
        finish({ ...silence, kind: "broken" });
        cancel(call, "caller-gone");
      });
    const over = (told: Told): void => {
      deadline.cancel();
      last.cancel();
      hear(told);
    };
    sidecar.perform(call, {
      answered: (response, transaction) => over(answeredBy(response, transaction)),
      failed(error, view) {
        if (error instanceof CallerGone) over({ ...silence, kind: "broken" });
        else if (error instanceof Problem) over(refusedBy(error, view?.status));
        else onError(error);
      },
    });
  }

  function pay(reference: string, site: Site, habit: Habit, tries = 0): void {
    if (tries >= mostTries) return;
    const again = (ms: number): void =>
      void timeline.after(ms * random.between(1, 1.3), () => pay(reference, site, habit, tries + 1));
    const where = habit === "strays" ? random.pick(sites) : site;
    send(reference, where, spell(reference, random), (told) => {
      const next = habit === "follows" ? byTheTable(told) : asClientsDo(told, tries);
      if (typeof next === "number") again(next);
      else if (next !== undefined) believe(reference, next);
    });
  }

  return {
    pay,
    callOf: (id) => calls.get(id),
    underWay: () => underWay,
    beliefs: () => beliefs,
  };
}

const silence: Told = {
  kind: "broken",
  status: 0,
  code: "",
  outcome: "",
  transaction: undefined,
  retryable: false,
  retryAfter: undefined,
  body: "",
};

function answeredBy(response: Response, transaction: string | undefined): Told {
  const { status, body } = response;
  const pause = Number(fieldOf(response, "retry-after"));
  return {
    ...silence,
    kind: "answered",
    status,
    outcome: "answered",
    transaction,
    retryAfter: pause > 0 && pause < 60 ? pause : undefined,
    body: Buffer.isBuffer(body) ? body.toString() : "",
  };
}

function refusedBy(problem: Problem, transaction: string | undefined): Told {
  const { code, outcome, retryAfter, status } = problem;
  return {
    ...silence,
    kind: "problem",
    status,
    code,
    outcome,
    transaction,
    retryable: isRetryable(problem, true),
    retryAfter,
  };
}

function describe({ kind, status, code, outcome, transaction, retryAfter }: Told): string {
  return `${kind} ${status} ${code} ${outcome} transaction=${transaction} retry-after=${retryAfter}`;
}

/** Milliseconds until the same is sent again, or what is believed from now on. */
type Next = number | Belief | undefined;

/** The decision table of docs/money.md. */
function byTheTable({ kind, status, code, outcome, transaction, retryable, retryAfter }: Told): Next {
  if (kind === "broken" || kind === "nobody") return 1_000;
  const pause = (retryAfter ?? 0.5) * 1_000;
  if (kind === "answered" && transaction === undefined) {
    if (status >= 200 && status <= 299) return "paid";
    return status === 429 || status === 401 ? Math.max(pause, 2_000) : "refused";
  }
  if (transaction === "completed") return "paid";
  if (code === "duplicate-confirm") return retryAfter === undefined ? "asks-people" : pause;
  if (outcome === "not-sent") return retryable ? pause : "refused";
  return transaction === "failed" ? 5_000 : 3_000;
}

/** Whatever is no success is sent again, and soon. */
function asClientsDo({ kind, status, transaction, retryAfter }: Told, tries: number): Next {
  if (kind === "answered" && status >= 200 && status <= 299 && transaction === undefined) return "paid";
  if (kind === "answered" && status >= 400 && status <= 499 && transaction === undefined) return "refused";
  if (tries > 7) return undefined;
  return Math.max((retryAfter ?? 0) * 1_000, 100 * 2 ** tries);
}
