import { createSocket } from "node:dgram";
import { isIP, isIPv4 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

import { CommandError, systemCode } from "../errors.ts";
import { shortestIPv6 } from "../lib/ip.ts";

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
  const canonical = isIPv4(bare) ? bare : shortestIPv6(bare);
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
