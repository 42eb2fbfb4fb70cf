import type { Dispatcher } from "undici";

import { ConnectError } from "../../src/connect/errors.ts";
import { Secret } from "../../src/secret.ts";
import type { CallRecord, SendRecord } from "./call-record.ts";
import type { Presto } from "./presto.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimTokens } from "./sim-token.ts";
import type { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";

export interface TrafficOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly presto: Presto;
  readonly tokens: SimTokens;
  readonly callOf: (id: string) => CallRecord;
  /** Connections break now. */
  readonly isBroken: () => boolean;
  /** A transaction's money has moved. */
  readonly onMoney: (transaction: string) => void;
}

type Sends = Pick<Dispatcher, "dispatch">;

const body = Buffer.from("{}");
const rawHeaders = ["content-type", "application/json"].map((part) => Buffer.from(part));

/** The connections of one process to Presto, as undici's dispatcher shows them to whoever sends. */
export function createTraffic(options: TrafficOptions, process: SimProcess): Sends {
  const { timeline, random, presto, tokens } = options;

  return {
    dispatch({ path, headers }, handler) {
      const controller = createController();
      const secret = new Secret(tokenIn(headers));
      process.deliver(random.chance(0.8) ? random.between(0, 1) : random.between(5, 60), () => {
        if (presto.isDown() && random.chance(0.5)) {
          handler.onResponseError?.(
            controller,
            new ConnectError("unreachable", "refused", "connection_refused"),
          );
          return;
        }
        const call = options.callOf(path);
        handler.onRequestStart?.(controller, {});
        if (controller.aborted) return;
        const send = begin(call, secret);
        const breaks = options.isBroken() && random.chance(0.7);
        if (breaks && random.chance(0.5)) {
          process.deliver(random.between(1, 60), () => fail(handler, controller));
          return;
        }
        timeline.after(random.between(1, 50), () =>
          arrive({ call, send, secret, handler, controller, breaks }),
        );
      });
      return true;
    },
  };

  /** S4: nothing goes without a token, and nothing again but after a 401. */
  function begin(call: CallRecord, secret: Secret): SendRecord {
    const token = tokens.nameOf(secret);
    const before = call.sends.at(-1);
    if (token === "a made-up token") throw new Violation("S4", `${call.id} is sent without a token`);
    if (before !== undefined && before.heard !== 401)
      throw new Violation("S4", `${call.id} is sent again after ${before.heard ?? "no answer"}`);
    const send: SendRecord = { token, executed: false, heard: undefined };
    call.sends.push(send);
    return send;
  }

  interface Arrival {
    readonly call: CallRecord;
    readonly send: SendRecord;
    readonly secret: Secret;
    readonly handler: Dispatcher.DispatchHandler;
    readonly controller: SimController;
    readonly breaks: boolean;
  }

  function arrive({ call, send, secret, handler, controller, breaks }: Arrival): void {
    const status = presto.isDown() ? 503 : presto.accepts(secret) ? 200 : 401;
    if (status === 200) {
      send.executed = true;
      if (call.operation.movesMoney) options.onMoney(call.transaction);
    }
    process.deliver(random.between(1, 50), () => {
      if (controller.aborted) return;
      if (breaks) {
        fail(handler, controller);
        return;
      }
      send.heard = status;
      controller.rawHeaders = rawHeaders;
      handler.onResponseStart?.(controller, status, {}, "");
      handler.onResponseData?.(controller, body);
      handler.onResponseEnd?.(controller, {});
    });
  }

  function fail(handler: Dispatcher.DispatchHandler, controller: SimController): void {
    if (!controller.aborted)
      handler.onResponseError?.(controller, Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  }
}

function tokenIn(headers: Dispatcher.DispatchOptions["headers"]): string {
  const value: unknown = Array.isArray(headers) ? headers[headers.indexOf("authorization") + 1] : undefined;
  return typeof value === "string" ? value.slice("Bearer ".length) : "";
}

type SimController = Dispatcher.DispatchController & { rawHeaders: Buffer[] };

function createController(): SimController {
  let aborted = false;
  let reason: Error | null = null;
  return {
    rawHeaders: [],
    rawTrailers: [],
    get aborted() {
      return aborted;
    },
    get reason() {
      return reason;
    },
    paused: false,
    pause() {},
    resume() {},
    abort(why) {
      aborted = true;
      reason = why;
    },
  };
}
