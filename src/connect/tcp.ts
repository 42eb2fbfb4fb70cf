import { createSocket } from "node:dgram";
import { ADDRCONFIG, lookup, type LookupAddress } from "node:dns";
import { connect, isIP, isIPv4, type Socket } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

import type { Clock, Timer } from "../clock.ts";
import { CommandError, systemCode } from "../errors.ts";
import { onAbort } from "../lib/async.ts";
import type { Endpoint } from "../lib/host.ts";
import type { Attempt, Stage } from "./attempt.ts";
import { ConnectError, toConnectError } from "./errors.ts";

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

/** Either an address that could be one of this machine's, or what is wrong with its text, as the rest of a sentence. */
export type ParsedLocalAddress =
  | { readonly address: string; readonly wrong?: undefined }
  | { readonly address?: undefined; readonly wrong: string };

/**
 * Reads the address to leave from: IPv4, or IPv6 without brackets, with its interface behind
 * a percent sign where it is link-local (`fe80::1%eth0`, RFC 4007 section 11).
 */
export function parseLocalAddress(text: string): ParsedLocalAddress {
  if (isIP(text) === 0)
    return { wrong: "is not an IP address; give one of this machine's, without a port or brackets" };
  const bare = text.replace(/%.*$/, "");
  const canonical = isIPv4(bare) ? bare : new URL(`http://[${bare}]`).hostname.slice(1, -1);
  if (canonical === "0.0.0.0" || canonical === "::")
    return { wrong: "stands for every address; give one, or none at all" };
  if (canonical.startsWith("::ffff:"))
    return { wrong: "is an IPv4 address in IPv6 form; write it as four numbers" };
  const zone = text.slice(bare.length);
  if (canonical.startsWith("fe80:") && zone.length < 2)
    return { wrong: "is link-local and needs its interface, as in fe80::1%eth0" };
  return { address: canonical + zone };
}

/**
 * Makes sure that this machine has the address: by taking it for a moment, because what a
 * machine may leave from is more than what its interfaces list (all of 127.0.0.0/8, routes of
 * type `local`). A datagram socket, since nobody can connect to it meanwhile.
 * @throws CommandError `configuration` that lists the addresses that it has
 */
export function ensureLocalAddress(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv4(address) ? "udp4" : "udp6");
    socket.once("error", (error) => {
      socket.close();
      reject(
        new CommandError(
          "configuration",
          `PRESTO_EGRESS_ADDRESS: ${address} is not an address of this machine (${systemCode(error) ?? "unknown cause"}); it has ${listAddresses(networkInterfaces())}`,
          error,
        ),
      );
    });
    socket.bind({ address, port: 0, exclusive: true }, () => {
      socket.close(() => resolve());
    });
  });
}

/** `10.0.0.2 and fe80::1%eth0 (eth0), 127.0.0.1 (lo)`: as they may be written into PRESTO_EGRESS_ADDRESS. */
export function listAddresses(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string {
  const list = Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses.map(({ address }) => (/^fe80:/i.test(address) ? `${address}%${name}` : `${address} (${name})`)),
  );
  return list.length === 0 ? "none" : list.join(", ");
}

/**
 * Looks a name up as a connection does: by the system's resolver, for addresses of the local
 * address's version of IP alone.
 * @returns at least one address, each once; a rejection with a `ConnectError`
 */
export function resolveName(
  host: string,
  localAddress: string | undefined,
  ask: Lookup = lookup,
): Promise<readonly string[]> {
  const family = isIP(localAddress ?? "");
  return new Promise((resolve, reject) => {
    ask(host, { all: true, family, hints: family === 0 ? ADDRCONFIG : 0 }, (error, found) => {
      if (error !== null) {
        reject(toConnectError(error));
        return;
      }
      const usable = family === 0 ? found : found.filter((address) => address.family === family);
      const addresses = [...new Set(usable.map(({ address }) => address))];
      if (addresses.length > 0) resolve(addresses);
      else reject(new ConnectError("unreachable", `the name has no IPv${family} address`, "dns_error"));
    });
  });
}
