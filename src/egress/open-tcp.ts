import { ADDRCONFIG, lookup, type LookupAddress } from "node:dns";
import { connect, isIP, type Socket } from "node:net";

import type { Clock, Timer } from "../clock.ts";
import { systemCode } from "../errors.ts";
import type { Endpoint } from "../lib/host.ts";
import { type Attempt, onAbort, type Stage } from "./attempt.ts";
import { ConnectError, toConnectError } from "./connect-error.ts";

export interface TcpOptions {
  /** Address of this machine to leave from; undefined: as the system chooses. */
  readonly localAddress: string | undefined;
  readonly clock: Clock;
  /** The system's resolver, unless given. */
  readonly lookup?: Lookup | undefined;
}

/** The part of `dns.lookup` that is used here. */
export type Lookup = (
  host: string,
  options: { readonly all: true; readonly family: number; readonly hints: number },
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** Connection Attempt Delay of RFC 8305 section 5, milliseconds. */
const staggerMs = 250;

const lookingUp: Stage = {
  waitsFor: "the name was not resolved",
  place: "presto",
  proxyStatus: "dns_timeout",
};
const connecting: Stage = {
  waitsFor: "no TCP connection",
  place: "presto",
  proxyStatus: "connection_timeout",
};

/**
 * Opens a TCP connection. The name is looked up anew each time, by the system's resolver, and
 * all its addresses are tried, one family after the other.
 *
 * Node's own `autoSelectFamily` is not used: it gives an address up after 250 ms, which a
 * distant server may well take to answer, and with a local address it tries the first alone.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export async function openTcp(endpoint: Endpoint, options: TcpOptions, attempt: Attempt): Promise<Socket> {
  attempt.stage = lookingUp;
  const addresses = await resolve(endpoint.host, options, attempt.signal);
  attempt.stage = connecting;
  return firstToConnect(addresses, endpoint.port, options, attempt.signal);
}

/** The addresses that can be reached from the local one, in the order in which they are tried. */
function resolve(host: string, options: TcpOptions, signal: AbortSignal): Promise<readonly string[]> {
  const ask: Lookup = options.lookup ?? lookup;
  const family = isIP(options.localAddress ?? "");
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, reject);
    // RFC 3493 section 6.1: no addresses of a family that this machine does not have.
    const hints = family === 0 ? ADDRCONFIG : 0;
    ask(host, { all: true, family, hints }, (error, found) => {
      stopListening();
      if (error !== null) {
        reject(unresolved(error, family));
        return;
      }
      // A literal address is answered as it is, whatever family was asked for.
      const usable = family === 0 ? found : found.filter((address) => address.family === family);
      if (usable.length === 0) reject(unresolved(undefined, family));
      else resolve(alternate(usable));
    });
  });
}

function unresolved(error: unknown, family: number): ConnectError {
  if (family === 0) return toConnectError(error);
  const code = systemCode(error);
  return new ConnectError(
    "unreachable",
    `no IPv${family} address${code === undefined ? "" : ` (${code})`}, and PRESTO_EGRESS_ADDRESS is one of IPv${family}`,
    "dns_error",
    error,
  );
}

/** One family after the other, beginning with the resolver's first choice: a family that leads nowhere then costs one delay (RFC 8305 section 4). */
function alternate(found: readonly LookupAddress[]): readonly string[] {
  const first = found.filter(({ family }) => family === found[0]?.family);
  const second = found.filter(({ family }) => family !== found[0]?.family);
  const order: string[] = [];
  for (let index = 0; index < Math.max(first.length, second.length); index += 1) {
    for (const candidate of [first[index], second[index]]) {
      if (candidate !== undefined) order.push(candidate.address);
    }
  }
  return order;
}

/** The next address is tried when one has failed, or has not answered for a while; it goes on being waited for. */
function firstToConnect(
  addresses: readonly string[],
  port: number,
  options: TcpOptions,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const trying = new Set<Socket>();
    let tried = 0;
    let timer: Timer | undefined;
    let failure: ConnectError | undefined;
    let over = false;

    let stopListening = (): void => {};
    stopListening = onAbort(signal, (reason) => {
      end();
      reject(reason);
    });
    tryNext();

    function end(): void {
      over = true;
      timer?.cancel();
      stopListening();
      for (const socket of trying) socket.destroy();
    }

    function tryNext(): void {
      timer?.cancel();
      if (over) return;
      const address = addresses[tried];
      tried += 1;
      if (address !== undefined) {
        tryOne(address);
        timer = options.clock.after(staggerMs, tryNext);
      } else if (trying.size === 0) {
        end();
        reject(failure);
      }
    }

    function tryOne(address: string): void {
      const { localAddress } = options;
      const socket = connect({
        host: address,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: 60_000,
        ...(localAddress === undefined ? {} : { localAddress }),
      });
      trying.add(socket);
      const onError = (error: Error): void => {
        trying.delete(socket);
        failure = moreTelling(failure, fromAttempt(error, localAddress));
        tryNext();
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        socket.off("error", onError);
        // Whoever uses it hears of errors there too; between two users nobody would, and the process would end.
        socket.on("error", () => {});
        trying.delete(socket);
        end();
        resolve(socket);
      });
    }
  });
}

function fromAttempt(error: unknown, localAddress: string | undefined): ConnectError {
  const bound = error instanceof Error && "syscall" in error && error.syscall === "bind";
  if (!bound || localAddress === undefined) return toConnectError(error);
  return new ConnectError(
    "unreachable",
    `${localAddress}, the PRESTO_EGRESS_ADDRESS, can't be left from (${systemCode(error) ?? "unknown cause"})`,
    "proxy_configuration_error",
    error,
    "here",
  );
}

/** That an address has no route says less than any other failure: a family that a host lacks is one. */
function moreTelling(before: ConnectError | undefined, now: ConnectError): ConnectError {
  return before !== undefined && now.proxyStatus === "destination_ip_unroutable" ? before : now;
}
