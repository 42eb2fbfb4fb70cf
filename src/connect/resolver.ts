import { isIP } from "node:net";

import type { Clock } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { untilStopped, within } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import { ConnectError, toConnectError } from "./errors.ts";
import type { Family, Lookup } from "./lookup.ts";

/** The resolver has fallen silent, and the addresses of a name that were last good serve (`serving`); or it answers again. */
export interface LastGoodServes {
  readonly type: "last-good-addresses";
  readonly host: string;
  readonly serving: boolean;
}

/** Finds the addresses of names, for all of this process that connect. */
export interface Resolver {
  /**
   * @param localAddress only addresses that can be reached from it; undefined: of every family that this machine has
   * @returns at least one, in the order in which they are to be tried; a rejection with a
   * `ConnectError`, or with what the signal was aborted for
   */
  resolve(host: string, localAddress: string | undefined, signal: AbortSignal): Promise<readonly string[]>;
  /** Takes note of what came of an address: one that failed last is tried last. */
  note(address: string, end: "connected" | "failed"): void;
  /** Ends what goes on by itself. */
  close(): void;
}

export interface ResolverDeps {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly emit: Emit<LastGoodServes>;
}

/** Milliseconds. A name that was known before is not waited for any longer: its addresses can be tried meanwhile. */
const patienceMs = 1_000;
/** Longest look-up, milliseconds: then it is given up, and whoever still waits begins another. */
const lookupMs = 10_000;
/** Between two look-ups while nobody answers, milliseconds. */
const retryMs = 2_000;
/** Addresses whose failure is remembered: the oldest is forgotten first. */
const mostFailed = 256;

/** One name, in one version of IP or both. */
interface Name {
  readonly host: string;
  readonly family: Family;
  /** The look-up under way, which all who wait for it share. */
  pending: Promise<readonly string[]> | undefined;
  /** What was answered last. */
  good: readonly string[] | undefined;
  /** The last look-up had no answer, and `good` serves. */
  lastGood: boolean;
}

/**
 * Each call looks the name up anew, but one look-up at a time is under way for a name. While the
 * resolver is silent, the addresses that it gave last serve (as RFC 8767 has it for resolvers):
 * TLS proves who answers there.
 */
export function createResolver(deps: ResolverDeps): Resolver {
  const { note, inOrder } = rememberFailures();
  const names = createNames(deps);
  return {
    async resolve(host, localAddress, signal) {
      const family = familyOf(localAddress ?? "");
      const version = isIP(host);
      if (version !== 0) {
        if (family !== 0 && version !== family) throw unresolved(undefined, family);
        return [host];
      }
      try {
        return inOrder(await names.addressesOf(host, family, signal));
      } catch (error) {
        throw signal.aborted ? error : unresolved(error, family);
      }
    },
    note,
    close: names.close,
  };
}

/** The names that were asked for, with what is known of each. */
interface Names {
  /** As they were answered. A rejection with the look-up's error, or with what the signal was aborted for. */
  addressesOf(host: string, family: Family, signal: AbortSignal): Promise<readonly string[]>;
  close(): void;
}

function createNames({ lookup, clock, emit }: ResolverDeps): Names {
  const names = new Map<string, Name>();
  const ended = new AbortController();

  function nameOf(host: string, family: Family): Name {
    const key = `${host} ${family}`;
    let name = names.get(key);
    if (name === undefined) {
      name = { host, family, pending: undefined, good: undefined, lastGood: false };
      names.set(key, name);
    }
    return name;
  }

  function serveLastGood(name: Name, serve: boolean): void {
    if (name.lastGood === serve) return;
    name.lastGood = serve;
    emit({ type: "last-good-addresses", host: name.host, serving: serve });
  }

  /** One look-up, from its start to what it means for the name. */
  async function query(name: Name): Promise<readonly string[]> {
    const stop = new AbortController();
    const timer = clock.after(lookupMs, () => stop.abort(silence()));
    try {
      name.good = await lookup(name.host, name.family, AbortSignal.any([stop.signal, ended.signal]));
      serveLastGood(name, false);
      return name.good;
    } catch (error) {
      const answered = systemCode(error) === "ENOTFOUND";
      if (answered) {
        name.good = undefined;
        serveLastGood(name, false);
      }
      if (name.good === undefined || ended.signal.aborted) throw error;
      serveLastGood(name, true);
      return name.good;
    } finally {
      timer.cancel();
      name.pending = undefined;
      // Calls may have connections enough not to ask again for hours.
      if (name.lastGood) {
        clock.after(retryMs, () => {
          if (!ended.signal.aborted) void queryOnce(name);
        });
      }
    }
  }

  function queryOnce(name: Name): Promise<readonly string[]> {
    if (name.pending === undefined) {
      name.pending = query(name);
      // Those who waited may all have gone.
      name.pending.catch(() => {});
    }
    return name.pending;
  }

  return {
    async addressesOf(host, family, signal) {
      if (ended.signal.aborted) throw silence();
      const name = nameOf(host, family);
      const pending = queryOnce(name);
      const { good } = name;
      if (good === undefined) return untilStopped(signal, pending);
      if (name.lastGood) return good;
      const found = await untilStopped(signal, within(clock, patienceMs, pending));
      if (found === undefined) serveLastGood(name, true);
      return found ?? good;
    },
    close: () => ended.abort(silence()),
  };
}

/** Which addresses failed last, and the order that follows from it. */
function rememberFailures(): {
  readonly note: Resolver["note"];
  inOrder(found: readonly string[]): readonly string[];
} {
  /** In the order in which they failed. */
  const failed = new Set<string>();
  return {
    note(address, end) {
      failed.delete(address);
      if (end === "connected") return;
      failed.add(address);
      const [oldest] = failed;
      if (failed.size > mostFailed && oldest !== undefined) failed.delete(oldest);
    },
    inOrder: (found) => [
      ...alternate(found).filter((address) => !failed.has(address)),
      ...[...failed].filter((address) => found.includes(address)),
    ],
  };
}

/** As Node's own: `code` is what is told. */
function silence(): Error {
  return Object.assign(new Error("no answer"), { code: "EAI_AGAIN" });
}

function familyOf(address: string): Family {
  const version = isIP(address);
  return version === 4 || version === 6 ? version : 0;
}

function unresolved(error: unknown, family: Family): ConnectError {
  if (family === 0) return toConnectError(error);
  const code = systemCode(error);
  return new ConnectError(
    "unreachable",
    `no IPv${family} address${code === undefined ? "" : ` (${code})`}, and PRESTO_EGRESS_ADDRESS is one of IPv${family}`,
    "dns_error",
    error,
  );
}

/** One family after the other, beginning with the look-up's first choice: a family that leads nowhere then costs one delay (RFC 8305 section 4). */
function alternate(found: readonly string[]): readonly string[] {
  const first = found.filter((address) => isIP(address) === isIP(found[0] ?? ""));
  const second = found.filter((address) => !first.includes(address));
  const order: string[] = [];
  for (let index = 0; index < Math.max(first.length, second.length); index += 1) {
    for (const candidate of [first[index], second[index]]) {
      if (candidate !== undefined) order.push(candidate);
    }
  }
  return [...new Set(order)];
}
