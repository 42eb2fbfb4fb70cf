import type { Dispatcher } from "undici";

import { ConnectError } from "../../../src/connect/errors.ts";
import type { Connections } from "../../../src/upstream/connections.ts";
import { breakOff, createController, type SimController, tokenIn } from "../exchange.ts";
import type { Random } from "../random.ts";
import type { SimProcess } from "../sim-process.ts";
import type { Story } from "../story.ts";
import type { Timeline } from "../timeline.ts";
import type { MoneyScenario } from "./scenario.ts";
import { canonical } from "./spelling.ts";
import type { AnswerKind, Fate, Truth } from "./truth.ts";

/** Presto on the wire: what each process sees of it. */
export interface SimPresto {
  connectionsOf(site: string, process: SimProcess): Pick<Connections, "dispatch" | "rotate">;
  /** Answers 401 to every other token from now on. */
  accept(token: string): void;
  /** No connection is had for so long. */
  fail(ms: number): void;
  mend(): void;
}

export interface SimPrestoOptions {
  readonly scenario: MoneyScenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly truth: Truth;
  /** A confirm is about to be written: its first byte. */
  readonly onSending: (id: string, reference: string, process: SimProcess) => void;
}

/** Presto wants a pause, and says so in every way that a field can hold. */
const pauses = ["-5", "0", "1", "3", "soon", "1.5", "99999999999", "Wed, 21 Oct 2015 07:28:00 GMT", ""];

export function createSimPresto(options: SimPrestoOptions): SimPresto {
  const { scenario, timeline, random, story, truth } = options;
  let live = "";
  let downUntil = 0;
  let isBad = true;

  interface Exchange {
    readonly process: SimProcess;
    readonly handler: Dispatcher.DispatchHandler;
    readonly controller: SimController;
  }

  function answer(exchange: Exchange, inMs: number, status: number, body: string, more: string[] = []): void {
    const { process, handler, controller } = exchange;
    process.deliver(inMs, () => {
      if (controller.aborted) return;
      const type = body.startsWith("<") ? "text/html" : "application/json";
      controller.rawHeaders = ["content-type", type, ...more].map((part) => Buffer.from(part));
      handler.onResponseStart?.(controller, status, {}, "");
      handler.onResponseData?.(controller, Buffer.from(body));
      handler.onResponseEnd?.(controller, {});
    });
  }

  function reset({ process, handler, controller }: Exchange, inMs: number): void {
    process.deliver(inMs, () => breakOff(handler, controller));
  }

  function say(exchange: Exchange, reference: string, { answer: kind, answerIn }: Fate): void {
    const to = (status: number, body: string, more?: string[]): void =>
      answer(exchange, answerIn, status, body, more);
    const pause = ["retry-after", random.pick(pauses)];
    const message = '{"message":"so it is"}';
    const answers: Readonly<Record<AnswerKind, () => void>> = {
      good: () => to(200, about(reference)),
      reset: () => reset(exchange, answerIn),
      silence: () => {},
      error: () => to(500, message),
      page: () => to(random.pick([403, 404, 502]), "<h1>a gateway</h1>"),
      conflict: () => to(409, '{"message":"confirmed before"}'),
      "too-late": () => to(408, message),
      empty: () => to(200, "{}"),
      another: () => to(200, about("ANOTHER")),
      redirect: () => to(302, "{}"),
      busy: () => to(429, message, pause),
      unavailable: () => to(503, message, pause),
      refusal: () => to(422, '{"message":"no"}'),
    };
    answers[kind]();
  }

  function confirm(exchange: Exchange, site: string, id: string, reference: string): void {
    const fate = truth.decide(reference, isBad);
    const now = timeline.now();
    const isUnclear = fate.answer !== "good" && fate.answer !== "refusal" && fate.answer !== "busy";
    const movesAt = fate.movesIn === undefined ? undefined : now + fate.movesIn;
    truth.executed(reference, { id, site, movesAt, sentAt: now, isUnclear });
    story.tell(
      () =>
        `Presto gets ${id} for ${reference}: its money moves ${fate.movesIn === undefined ? "never" : `in ${Math.round(fate.movesIn)} ms`}, the answer is ${fate.answer} in ${Math.round(fate.answerIn)} ms`,
    );
    say(exchange, reference, fate);
  }

  function query(exchange: Exchange, reference: string): void {
    const inMs = random.between(1, 100);
    if (isBad && random.chance(scenario.badQuestions)) {
      const pause = ["retry-after", random.pick(pauses)];
      const faults = [
        () => reset(exchange, inMs),
        () => {},
        () => answer(exchange, inMs, 500, '{"message":"no"}'),
        () => answer(exchange, inMs, 404, '{"message":"none"}'),
        () => answer(exchange, inMs, 404, about(reference, "failed")),
        () => answer(exchange, inMs, 200, about(reference, "voided")),
        () => answer(exchange, inMs, 200, "<h1>OK</h1>"),
        () => answer(exchange, inMs, 200, about("ANOTHER", random.pick(["completed", "failed"]))),
        () => answer(exchange, inMs, 429, '{"message":"later"}', pause),
        () => answer(exchange, inMs, 503, about(reference, "completed"), pause),
        () => answer(exchange, random.between(0, 15_000), 200, about(reference, "pending")),
      ];
      random.pick(faults)();
      return;
    }
    const said = truth.says(reference);
    story.tell(() => `Presto says of ${reference}: ${said ?? "404"}`);
    if (said === undefined) answer(exchange, inMs, 404, '{"message":"none"}');
    else answer(exchange, inMs, 200, about(reference, said));
  }

  return {
    accept(token) {
      live = token;
    },
    fail(ms) {
      story.tell(() => `Presto is away for ${(ms / 1_000).toFixed(1)} s`);
      downUntil = timeline.now() + ms;
    },
    mend() {
      isBad = false;
      downUntil = 0;
    },
    connectionsOf: (site, process) => ({
      rotate() {},
      dispatch({ path, method, headers, body }, handler) {
        const controller = createController();
        const exchange = { process, handler, controller };
        process.deliver(random.between(0, 30), () => {
          if (timeline.now() < downUntil) {
            handler.onResponseError?.(
              controller,
              new ConnectError("unreachable", "refused", "connection_refused"),
            );
            return;
          }
          const id = fieldIn(headers, "x-request-id");
          const reference =
            method === "POST" ? canonical(lastNamed(body)) : canonical(path.slice(path.lastIndexOf("/") + 1));
          const token = tokenIn(headers);
          handler.onRequestStart?.(controller, {});
          if (controller.aborted) return;
          if (method === "POST") options.onSending(id, reference, process);
          timeline.after(random.between(0, 30), () => {
            if (token !== live) answer(exchange, 1, 401, '{"message":"Unauthenticated."}');
            else if (method === "POST") confirm(exchange, site, id, reference);
            else query(exchange, reference);
          });
        });
        return true;
      },
    }),
  };
}

function about(reference: string, status?: string): string {
  return JSON.stringify({
    data: { transaction_reference: reference, ...(status === undefined ? {} : { status }) },
  });
}

function fieldIn(headers: Dispatcher.DispatchOptions["headers"], name: string): string {
  if (!Array.isArray(headers)) return "";
  const value: unknown = headers[headers.indexOf(name) + 1];
  return typeof value === "string" ? value : "";
}

/** As most servers read a member that stands there twice. */
function lastNamed(body: unknown): string {
  const parsed: unknown = JSON.parse(String(body));
  const found: unknown =
    typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "transaction_reference") : undefined;
  return typeof found === "string" ? found : "";
}
