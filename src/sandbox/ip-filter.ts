import { BlockList, isIP } from "node:net";

import { htmlReply, messageReply, type Reply } from "./http.ts";

/** Who is let in, and what the others see: the docs leave the latter open, so that all three can be chosen. */
export interface IpFilterOptions {
  /** Addresses or CIDRs that are let in; undefined: all. */
  readonly allowedAddresses: readonly string[] | undefined;
  /** What another address sees: a `403` in Presto's shape, a gateway's HTML page with 403, or a TCP reset. */
  readonly unregistered: "json" | "html" | "reset";
  /** At most so many requests in so many milliseconds; undefined: any number. */
  readonly rate: RateLimit | undefined;
}

/** See {@link IpFilterOptions}. */
export interface RateLimit {
  readonly requests: number;
  /** Milliseconds. */
  readonly perMs: number;
  /** Does the `429` say when to come again? */
  readonly retryAfter: boolean;
}

/** Judges addresses, and counts the requests of those that are let in. */
export interface IpFilter {
  /** Changes it, and forgets what was counted. Throws a RangeError for an address that isn't one, and changes nothing then. */
  configure(options: IpFilterOptions): void;
  /** Is a connection from there to be reset? */
  resets(address: string): boolean;
  /** The reply for a request that is not let in; undefined if it is, which counts it. */
  refusal(address: string): Reply | undefined;
}

/** Creates the filter. `now`: wall clock, milliseconds since 1970. */
export function createIpFilter(initial: IpFilterOptions, now: () => number): IpFilter {
  let options = initial;
  let allowed = readAddresses(initial.allowedAddresses);
  let windowStart = 0;
  let inWindow = 0;

  const admits = (address: string): boolean =>
    allowed === undefined || allowed.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

  const overRate = (rate: RateLimit): Reply | undefined => {
    const at = now();
    if (at < windowStart || at >= windowStart + rate.perMs) {
      windowStart = at;
      inWindow = 0;
    }
    inWindow += 1;
    if (inWindow <= rate.requests) return undefined;
    const seconds = Math.ceil((windowStart + rate.perMs - at) / 1000);
    return messageReply(429, "Too Many Attempts.", rate.retryAfter ? { "retry-after": String(seconds) } : {});
  };

  return {
    configure(next) {
      allowed = readAddresses(next.allowedAddresses);
      options = next;
      inWindow = 0;
    },
    resets: (address) => options.unregistered === "reset" && !admits(address),
    refusal(address) {
      if (admits(address)) return options.rate === undefined ? undefined : overRate(options.rate);
      if (options.unregistered === "html") return htmlReply(403, "Access denied");
      return messageReply(403, "Your IP address is not allowed.");
    },
  };
}

/** Is it an IP address, or a CIDR such as `127.0.0.0/8`? */
export function isAddressOrRange(text: string): boolean {
  const [address = "", prefix, more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more !== undefined) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

function readAddresses(addresses: readonly string[] | undefined): BlockList | undefined {
  if (addresses === undefined) return undefined;
  const list = new BlockList();
  for (const text of addresses) {
    if (!isAddressOrRange(text)) {
      throw new RangeError(
        `${JSON.stringify(text)} is neither an IP address nor a CIDR such as 127.0.0.0/8.`,
      );
    }
    const [address = "", prefix] = text.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
