import type { Dispatcher } from "undici";

import { ConnectError } from "../../src/connect/errors.ts";
import { movesMoney } from "../../src/policy/operations.ts";
import { Secret } from "../../src/secret.ts";
import type { Connections } from "../../src/upstream/connections.ts";
import type { SimAddresses } from "./addresses.ts";
import type { CallRecord, SendRecord } from "./call-record.ts";
import { breakOff, createController, respond, type SimController, tokenIn } from "./exchange.ts";
import type { KnownRejected } from "./known-rejected.ts";
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
  readonly addresses: SimAddresses;
  readonly callOf: (id: string) => CallRecord;
  /** What the process knows of tokens that were rejected. */
  readonly knownOf: (process: SimProcess) => KnownRejected;
  /** Connections break now. */
  readonly isBroken: () => boolean;
  /** A transaction's money has moved. */
  readonly onMoney: (transaction: string) => void;
  /** A connection could not be made. */
  readonly onConnectFailed: (process: SimProcess, error: ConnectError) => void;
}

/** The connections of one process to Presto that take callers' calls, as undici's dispatcher shows them to whoever sends. */
export function createTraffic(
  options: TrafficOptions,
  process: SimProcess,
): Pick<Connections, "dispatch" | "rotate"> {
  const { timeline, random, presto, tokens, addresses } = options;
  const known = options.knownOf(process);

  return {
    // Each request goes by the address of its moment here: no connection keeps an earlier one.
    rotate() {},
    dispatch({ path, headers }, handler) {
      if (addresses.mustBlock(process))
        throw new Violation(
          "gate",
          `${process.name} sends a call, and knows that its address is not registered`,
        );
      const controller = createController();
      const secret = new Secret(tokenIn(headers) ?? "");
      const call = options.callOf(path);
      // A second try at a connection is the same try.
      if (!call.connectFailed) known.sends(call.id, tokens.nameOf(secret), controller);
      process.deliver(random.chance(0.8) ? random.between(0, 1) : random.between(5, 60), () => {
        if (presto.isDown() && random.chance(0.5)) {
          const error = new ConnectError("unreachable", "refused", "connection_refused");
          options.onConnectFailed(process, error);
          call.connectFailed = true;
          known.heard(tokens.nameOf(secret), 0);
          handler.onResponseError?.(controller, error);
          return;
        }
        call.connectFailed = false;
        handler.onRequestStart?.(controller, {});
        if (controller.aborted) return;
        const send = begin(call, secret);
        const breaks = options.isBroken() && random.chance(0.7);
        if (breaks && random.chance(0.5)) {
          process.deliver(random.between(1, 60), () => {
            known.heard(send.token, 0);
            breakOff(handler, controller);
          });
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
    const status = statusFor(secret);
    if (status === 200) {
      send.executed = true;
      if (movesMoney(call.operation)) options.onMoney(call.transaction);
    }
    process.deliver(random.between(1, 50), () => {
      if (controller.aborted) return;
      known.heard(send.token, breaks ? 0 : status);
      if (breaks) {
        breakOff(handler, controller);
        return;
      }
      send.heard = status;
      const isPresto = status === 200 || status === 401;
      if (isPresto) addresses.letIn(process, call.arrivedAt);
      respond(handler, controller, {
        status,
        shape: isPresto ? "json" : "page",
        body: isPresto ? json : page,
      });
    });
  }

  function statusFor(secret: Secret): number {
    if (presto.isDown()) return 503;
    if (!addresses.isRegistered(process)) return 403;
    return presto.accepts(secret) ? 200 : 401;
  }
}

const json = Buffer.from("{}");
const page = Buffer.from("<!doctype html>");
