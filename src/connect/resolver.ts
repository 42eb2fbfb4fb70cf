import { ADDRCONFIG, lookup as systemLookup, type LookupAddress } from "node:dns";
import { isIP } from "node:net";

import { systemCode } from "../errors.ts";
import { onAbort } from "../lib/async.ts";
import { ConnectError, toConnectError } from "./errors.ts";

/** The part of `dns.lookup` that is used here. */
export type Lookup = (
  host: string,
  options: { readonly all: true; readonly family: number; readonly hints: number },
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** Finds the addresses of names. */
export interface Resolver {
  /**
   * @param localAddress only addresses that can be reached from it; undefined: of every family that this machine has
   * @returns at least one, in the order in which they are to be tried; a rejection with a
   * `ConnectError`, or with what the signal was aborted for
   */
  resolve(host: string, localAddress: string | undefined, signal: AbortSignal): Promise<readonly string[]>;
}

/** A resolver that asks the system anew each time. */
export function createResolver(lookup: Lookup = systemLookup): Resolver {
  return {
    resolve(host, localAddress, signal) {
      const family = isIP(localAddress ?? "");
      return new Promise((resolve, reject) => {
        const stopListening = onAbort(signal, reject);
        // RFC 3493 section 6.1: no addresses of a family that this machine does not have.
        const hints = family === 0 ? ADDRCONFIG : 0;
        lookup(host, { all: true, family, hints }, (error, found) => {
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
    },
  };
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
  return [...new Set(order)];
}
