import { ConnectError } from "../../src/connect/errors.ts";
import { AddressAnswerError } from "../../src/egress-ip/check-url.ts";
import { createEgressCheck, type EgressCheck, type EgressEvent } from "../../src/egress-ip/check.ts";
import type { OutcomeKind } from "../../src/egress-ip/outcomes.ts";
import { type Network, parseAddress, parseNetwork } from "../../src/lib/ip.ts";
import { createHandClock, type HandClock } from "./hand-clock.ts";

/** The address that is registered in these tests, and one that is not. */
export const home = "203.0.113.7";
export const strange = "198.51.100.9";

export interface EgressBench {
  readonly check: EgressCheck;
  readonly clock: HandClock;
  /** What each check URL answers from now on: an address, or undefined for one that is down. */
  says: (string | undefined)[];
  /** What a knock at Presto's door meets. */
  door: OutcomeKind;
  /** How often each was asked. */
  readonly asked: { checks: number; knocks: number };
  /** Reasons with which readiness was closed, and undefined where it was opened. */
  readonly latch: (string | undefined)[];
  readonly told: EgressEvent[];
  /** A call with the token that was sent now is answered. */
  answer(status: number, shape?: "json" | "page"): void;
  /** A connection is reset. */
  reset(): void;
}

export interface EgressBenchOptions {
  readonly says?: (string | undefined)[];
  readonly ips?: readonly string[];
  /** Milliseconds that a check URL, or Presto's door, takes to answer. */
  readonly askMs?: number;
  readonly random?: () => number;
}

export function networksOf(texts: readonly string[]): Network[] {
  return texts.map((text) => {
    const { network, wrong } = parseNetwork(text);
    if (network === undefined) throw new Error(`${text} ${wrong}`);
    return network;
  });
}

/** A check with scripted check URLs and a scripted Presto, on a clock that is moved by hand. */
export function createEgressBench(options: EgressBenchOptions = {}): EgressBench {
  const clock = createHandClock();
  const told: EgressEvent[] = [];
  const latch: (string | undefined)[] = [];
  const asked = { checks: 0, knocks: 0 };
  const names = (options.says ?? [home, home]).map((_, index) => `check-${index + 1}.example`);

  const check = createEgressCheck({
    registered: networksOf(options.ips ?? [home]),
    urls: names.map((name, index) => ({
      name,
      async ask() {
        asked.checks += 1;
        if (options.askMs !== undefined) await clock.sleep(options.askMs);
        const text = bench.says[index];
        const address = text === undefined ? undefined : parseAddress(text);
        if (address !== undefined) return { name, address };
        return { name, error: new AddressAnswerError("no-answer", "it is down") };
      },
    })),
    async unauthenticatedProbe() {
      asked.knocks += 1;
      if (options.askMs !== undefined) await clock.sleep(options.askMs);
      return bench.door;
    },
    latch: { close: (reason) => latch.push(reason), open: () => latch.push(undefined) },
    clock,
    random: options.random ?? (() => 0.5),
    emit: (event) => told.push(event),
  });
  const bench: EgressBench = {
    check,
    clock,
    says: options.says ?? [home, home],
    door: "unclear",
    asked,
    latch,
    told,
    answer(status, shape = "json") {
      const type = shape === "json" ? "application/json" : "text/html";
      const body = Buffer.from(shape === "json" ? "{}" : "<html>");
      check.answered({ status, headers: ["content-type", type], body }, clock.monotonic());
    },
    reset: () => check.connectFailed(new ConnectError("unreachable", "x", "connection_terminated")),
  };
  return bench;
}
