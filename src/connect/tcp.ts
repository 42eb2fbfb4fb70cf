import { connect, type Socket } from "node:net";

import type { Clock, Timer } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { onAbort } from "../lib/async.ts";
import type { Endpoint } from "../lib/host.ts";
import type { Attempt, Stage } from "./attempt.ts";
import { ConnectError, toConnectError } from "./errors.ts";
import type { Resolver } from "./resolver.ts";

export interface TcpOptions {
  /** Address of this machine to leave from; undefined: as the system chooses. */
  readonly localAddress: string | undefined;
  readonly resolver: Resolver;
  readonly clock: Clock;
}

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
 * Opens a TCP connection. All addresses of the name are tried, one family after
 * the other.
 *
 * Node's own `autoSelectFamily` is not used: it gives an address up after 250 ms, which a
 * distant server may well take to answer, and with a local address it tries the first alone.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export async function openTcp(endpoint: Endpoint, options: TcpOptions, attempt: Attempt): Promise<Socket> {
  const { host, port } = endpoint;
  const { localAddress, resolver } = options;
  attempt.stage = lookingUp;
  const addresses = await resolver.resolve(host, localAddress, attempt.signal);
  attempt.report({ step: "resolved", host, addresses });
  attempt.stage = connecting;
  const { address, socket } = await firstToConnect(addresses, port, options, attempt.signal);
  attempt.connectedTo = address;
  attempt.report({ step: "connected", localAddress: socket.localAddress });
  return socket;
}

/** The next address is tried when one has failed, or has not answered for a while; it goes on being waited for. */
function firstToConnect(
  addresses: readonly string[],
  port: number,
  options: TcpOptions,
  signal: AbortSignal,
): Promise<{ readonly address: string; readonly socket: Socket }> {
  const { resolver } = options;
  return new Promise((resolve, reject) => {
    const trying = new Map<Socket, string>();
    let attempted = 0;
    let timer: Timer | undefined;
    let failure: ConnectError | undefined;
    let over = false;

    let stopListening = (): void => {};
    stopListening = onAbort(signal, (reason) => {
      // Time was over; whoever gives up says nothing of the addresses.
      if (reason instanceof ConnectError)
        for (const address of trying.values()) resolver.note(address, "failed");
      end();
      reject(reason);
    });
    tryNext();

    function end(): void {
      over = true;
      timer?.cancel();
      stopListening();
      for (const socket of trying.keys()) socket.destroy();
    }

    function tryNext(): void {
      timer?.cancel();
      if (over) return;
      const address = addresses[attempted];
      attempted += 1;
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
      trying.set(socket, address);
      const onError = (error: Error): void => {
        trying.delete(socket);
        resolver.note(address, "failed");
        failure = moreTelling(failure, fromAttempt(error, localAddress));
        tryNext();
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        socket.off("error", onError);
        // Whoever uses it hears of errors there too; between two users nobody would, and the process would end.
        socket.on("error", () => {});
        // Those that were begun before it and are not up yet.
        for (const [slower, its] of trying) {
          if (slower === socket) break;
          resolver.note(its, "failed");
        }
        resolver.note(address, "connected");
        trying.delete(socket);
        end();
        resolve({ address, socket });
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
