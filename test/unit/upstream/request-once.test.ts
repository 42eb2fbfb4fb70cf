import { Dispatcher } from "undici";
import { describe, expect, it } from "vitest";

import {
  type RequestControl,
  type RequestEnd,
  requestOnce,
  type OwnRequest,
} from "../../../src/upstream/request-once.ts";

const request: OwnRequest = { method: "POST", path: "/x", headers: [], body: Buffer.from("{}") };

/** A dispatcher that does what a test makes undici do, and writes down what it was told. */
class HandDispatcher extends Dispatcher {
  readonly told: string[] = [];
  readonly #script: (handler: Required<Dispatcher.DispatchHandler>, hand: HandDispatcher) => void;

  constructor(script: (handler: Required<Dispatcher.DispatchHandler>, hand: HandDispatcher) => void) {
    super();
    this.#script = script;
  }

  controller(name: string): Dispatcher.DispatchController {
    return {
      aborted: false,
      paused: false,
      reason: null,
      abort: () => void this.told.push(`abort ${name}`),
      pause: () => {},
      resume: () => {},
    };
  }

  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#script(handler as Required<Dispatcher.DispatchHandler>, this);
    return true;
  }

  // Of its many forms callOnce uses one.
  override destroy(): Promise<void> {
    this.told.push("destroy");
    return Promise.resolve();
  }
}

async function call(
  hand: HandDispatcher,
  control: Partial<RequestControl> = {},
): Promise<{ end: RequestEnd; told: readonly string[] }> {
  const whole = { mayBegin: () => true, signal: new AbortController().signal, ...control };
  const end = await requestOnce(() => hand, request, whole);
  return { end, told: hand.told };
}

describe("a call of our own", () => {
  it("that may not begin is aborted before undici goes on to write", async () => {
    const hand = new HandDispatcher((handler) => {
      handler.onRequestStart(hand.controller("first"), null);
      hand.told.push("writes, unless aborted");
    });
    const { end, told } = await call(hand, { mayBegin: () => false });
    expect(end).toMatchObject({ kind: "not-sent", cause: { code: "called-off" } });
    expect(told).toEqual(["abort first", "writes, unless aborted", "destroy"]);
  });

  it("is not begun a second time, even if undici would, and is then unclear", async () => {
    let asked = 0;
    const mayBegin = (): boolean => {
      asked += 1;
      return true;
    };
    const hand = new HandDispatcher((handler) => {
      handler.onRequestStart(hand.controller("first"), null);
      const second = hand.controller("second");
      handler.onRequestStart(second, null);
      handler.onResponseError(second, new Error("aborted"));
    });
    const { end, told } = await call(hand, { mayBegin });
    expect(end).toMatchObject({ kind: "unclear", cause: { code: "broken" } });
    expect([asked, told]).toEqual([1, ["abort second", "destroy"]]);
  });

  it("that is given up is aborted at once", async () => {
    const stop = new AbortController();
    const hand = new HandDispatcher((handler) => {
      handler.onRequestStart(hand.controller("first"), null);
      stop.abort();
    });
    const { end, told } = await call(hand, { signal: stop.signal });
    expect(end).toMatchObject({ kind: "unclear", cause: { code: "given-up" } });
    expect(told).toEqual(["abort first", "destroy"]);
  });

  it("that was given up while it waited for a connection is not begun when there is one", async () => {
    const stop = new AbortController();
    let asked = 0;
    const mayBegin = (): boolean => {
      asked += 1;
      return true;
    };
    const hand = new HandDispatcher((handler) => {
      stop.abort();
      handler.onRequestStart(hand.controller("first"), null);
    });
    const { end, told } = await call(hand, { signal: stop.signal, mayBegin });
    expect(end).toMatchObject({ kind: "not-sent", cause: { code: "given-up" } });
    expect([asked, told]).toEqual([0, ["abort first", "destroy"]]);
  });

  it("without a pool is not sent", async () => {
    const cause = new Error("no pool");
    const end = await requestOnce(
      () => {
        throw cause;
      },
      request,
      { mayBegin: () => true, signal: new AbortController().signal },
    );
    expect(end).toEqual({ kind: "not-sent", cause });
  });

  it("holds no error of undici's: such a one may carry the bytes that came", async () => {
    for (const begun of [true, false]) {
      const hand = new HandDispatcher((handler) => {
        if (begun) handler.onRequestStart(hand.controller("first"), null);
        const error = Object.assign(new Error("Marked9"), { code: "HPE_INVALID", data: "Marked9" });
        handler.onResponseError(hand.controller("first"), error);
      });
      const { end } = await call(hand);
      expect(end).toMatchObject({
        kind: begun ? "unclear" : "not-sent",
        cause: { name: "OwnRequestError", message: expect.stringContaining("(HPE_INVALID)") },
      });
      expect(end).not.toHaveProperty("cause.cause");
    }
  });
});
