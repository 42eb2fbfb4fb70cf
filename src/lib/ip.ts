import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from "node:net";

/**
 * An IPv6 address in its shortest form (RFC 5952), as URLs write it (WHATWG URL, "IPv6 serializer").
 * Not as SocketAddress writes it, to which `::2` is `::0.0.0.2`.
 * @param address in any form but one with a zone
 */
export function shortestIPv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/**
 * A literal address as it stands in a packet: 4 bytes or 16, network order.
 * @param address IPv4 as four numbers, or IPv6 in any form but one with a zone
 */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [before = [], after = []] = shortestIPv6(address)
    .split("::")
    .map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const hex = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join("");
  return Buffer.from(hex, "hex");
}

/** One address that connections can come from. */
export interface Address {
  /** In its one form: IPv4 as four numbers, IPv6 in its shortest form (RFC 5952). */
  readonly text: string;
  readonly family: "ipv4" | "ipv6";
}

/** An address, or all that begin with the same bits (RFC 4632 section 3.1, RFC 4291 section 2.3): the text then has their number after a slash. */
export type Network = Address;

/** Either a network, or what is wrong with its text, as the rest of a sentence. */
export type ParsedNetwork =
  | { readonly network: Network; readonly wrong?: undefined }
  | { readonly network?: undefined; readonly wrong: string };

/** `0.0.0.0/8`, `::`, multicast, and what lies beyond it: nothing comes from there (RFC 6890). */
const nowhere = listOf([
  { text: "0.0.0.0/8", family: "ipv4" },
  { text: "224.0.0.0/3", family: "ipv4" },
  { text: "::", family: "ipv6" },
  { text: "ff00::/8", family: "ipv6" },
]);

/**
 * Reads an address as a server may write it that was connected to: an IPv4 address in IPv6 form
 * (`::ffff:192.0.2.1`) is that IPv4 address, since a socket of both families writes it so.
 * @returns undefined for what is no address, one with a zone, and one that no connection comes from
 */
export function parseAddress(text: string): Address | undefined {
  if (isIP(text) === 0 || text.includes("%")) return undefined;
  const address = readAddress(mappedIPv4(text) ?? text);
  return nowhere.check(address.text, address.family) ? undefined : address;
}

/** Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`. */
export function parseNetwork(text: string): ParsedNetwork {
  const [, host = "", prefixText] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  if (isIP(host) === 0) return { wrong: "is neither an IP address nor a CIDR" };
  if (host.includes("%")) return { wrong: "has a zone, which means nothing to others; leave it out" };
  if (mappedIPv4(host) !== undefined) return { wrong: "is IPv4 in IPv6 form; write it as four numbers" };
  const address = readAddress(host);
  const bits = address.family === "ipv4" ? 32 : 128;
  if (prefixText !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefixText))
    return { wrong: "is no CIDR: behind the slash stands the number of bits, as in 192.0.2.0/24" };
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  if (prefix > bits) return { wrong: `is no CIDR: such an address has ${bits} bits` };
  if (prefix === 0) return { wrong: "is every address there is; then any would count as registered" };
  const first = firstOf(address, prefix);
  if (first !== address.text) {
    return {
      wrong: `is no CIDR: the address goes beyond its ${prefix} bits; write ${first}/${prefix} for the network, or ${address.text} for the one address`,
    };
  }
  if (nowhere.check(address.text, address.family))
    return { wrong: "is not an address that connections come from" };
  return { network: prefix === bits ? address : { ...address, text: `${address.text}/${prefix}` } };
}

/** Is the address in one of the networks? */
export function isIn(networks: readonly Network[], { text, family }: Address): boolean {
  const list = lists.get(networks) ?? listOf(networks);
  lists.set(networks, list);
  return list.check(text, family);
}

/** Has any of the networks addresses of the same version of IP? Where none has, nothing can be said of it. */
export function speaksOf(networks: readonly Network[], { family }: Address): boolean {
  return networks.some((network) => network.family === family);
}

/** Made once of each: those that are registered are asked for again and again. */
const lists = new WeakMap<readonly Network[], BlockList>();

function listOf(networks: readonly Network[]): BlockList {
  const list = new BlockList();
  for (const { text, family } of networks) {
    const [address = "", prefix = family === "ipv4" ? "32" : "128"] = text.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/** The IPv4 address that an IPv6 address stands for (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2). */
function mappedIPv4(text: string): string | undefined {
  if (!isIPv6(text)) return undefined;
  const { address } = new SocketAddress({ address: text, family: "ipv6" });
  const tail = address.slice("::ffff:".length);
  return address.startsWith("::ffff:") && isIPv4(tail) ? tail : undefined;
}

function readAddress(text: string): Address {
  return isIPv4(text) ? { text, family: "ipv4" } : { text: shortestIPv6(text), family: "ipv6" };
}

/** The first address that begins with the same bits. */
function firstOf({ text, family }: Address, prefix: number): string {
  const bytes = addressBytes(text).map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8));
    return byte & (0xff << (8 - kept));
  });
  return family === "ipv4" ? bytes.join(".") : shortestIPv6(groupsOf(Buffer.from(bytes)));
}

function groupsOf(bytes: Buffer): string {
  return (bytes.toString("hex").match(/.{4}/g) ?? []).join(":");
}
