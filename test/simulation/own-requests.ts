import type { Dispatcher } from "undici";

import { Secret } from "../../src/secret.ts";
import type { OpenPool } from "../../src/upstream/request-once.ts";
import type { SimAddresses } from "./addresses.ts";
import { breakOff, createController, httpDate, respond, type SimResponse, tokenIn } from "./exchange.ts";
import type { Operate } from "./operate.ts";
import type { Presto } from "./presto.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";

export interface OwnRequestsOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly operate: Operate;
  readonly presto: Presto;
  readonly addresses: SimAddresses;
  /** Presto looks for the record before it looks at the token. */
  readonly isBlind: boolean;
  /** The answer to a probe with that token has come. */
  readonly onProbed: (process: SimProcess, token: Secret, isLetIn: boolean) => void;
}

/** What a process asks Presto for of its own accord: whether a token lives, and whether it is let in at all. Each over a connection of its own. */
export function createOwnRequests(options: OwnRequestsOptions, process: SimProcess): OpenPool {
  const { timeline, random, operate, presto, addresses, isBlind } = options;

  function answer(token: string | undefined): SimResponse {
    if (presto.isDown()) return down;
    if (!addresses.isRegistered(process)) return turnedAway;
    if (token === undefined) return unauthorized;
    return isBlind || presto.accepts(new Secret(token)) ? notFound : unauthorized;
  }

  function dispatch({ headers }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const controller = createController();
    const token = tokenIn(headers);
    const begunAt = process.clock.monotonic();
    handler.onRequestStart?.(controller, {});
    const heard = (response: SimResponse): void => {
      presto.tellTime(process);
      if (response === notFound || response === unauthorized) addresses.letIn(process, begunAt);
      if (token !== undefined) options.onProbed(process, new Secret(token), response === notFound);
      respond(handler, controller, response, httpDate(presto.wallClock()));
    };
    if (token === undefined) {
      timeline.after(random.between(2, 60), () => {
        const response = answer(undefined);
        process.deliver(random.between(2, 60), () => heard(response));
      });
      return true;
    }
    operate({ process, kind: "probe", effect: () => answer(token), lost: () => new Error("no answer") }).then(
      heard,
      () => breakOff(handler, controller),
    );
    return true;
  }

  return () => ({ dispatch, destroy: async () => {} });
}

const down: SimResponse = { status: 503, shape: "page", body: Buffer.from("<!doctype html>") };
const turnedAway: SimResponse = { status: 403, shape: "page", body: Buffer.from("<!doctype html>") };
const unauthorized: SimResponse = {
  status: 401,
  shape: "json",
  body: Buffer.from('{"message":"Unauthenticated."}'),
};
const notFound: SimResponse = {
  status: 404,
  shape: "json",
  body: Buffer.from('{"message":"Transaction not found."}'),
};
