import { ADDRCONFIG, lookup } from "node:dns";
import { isIP } from "node:net";

import { ConnectError, toConnectError } from "../egress/connect-error.ts";
import type { Lookup } from "../egress/open-tcp.ts";

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
