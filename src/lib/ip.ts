import { isIP, isIPv4, isIPv6 } from "node:net";

/**
 * A literal address as it stands in a packet: 4 bytes or 16, network order.
 * @param address IPv4 as four numbers, or IPv6 in any form but one with a zone
 */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  // WHATWG URL, "IPv6 serializer": shortest form, an IPv4 tail as two groups.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries())
    bytes.writeUInt16BE(group, index * 2);
  return bytes;
}

function groupsOf(text: string): readonly number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** One address that connections can come from. */
export interface Address {
  /** In its one form: IPv4 as four numbers, IPv6 in its shortest form (RFC 5952). */
  readonly text: string;
  /** 4 bytes or 16, network order. */
  readonly bytes: Uint8Array;
}

/** An address, or all that begin with the same bits (RFC 4632 section 3.1, RFC 4291 section 2.3). */
export interface Network extends Address {
  /** How many bits of `bytes` count. The text has them after a slash, unless they are all. */
  readonly prefix: number;
}

/** Either a network, or what is wrong with its text, as the rest of a sentence. */
export type ParsedNetwork =
  | { readonly network: Network; readonly wrong?: undefined }
  | { readonly network?: undefined; readonly wrong: string };

/** `::ffff:0:0/96`, RFC 4291 section 2.5.5.2. */
const mappedPrefix = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255);

/**
 * Reads an address as a server may write it that was connected to: an IPv4 address in IPv6 form
 * (`::ffff:192.0.2.1`) is that IPv4 address, since a socket of both families writes it so.
 * @returns undefined for what is no address, one with a zone, and one that no connection comes from
 */
export function parseAddress(text: string): Address | undefined {
  if (isIP(text) === 0 || text.includes("%")) return undefined;
  const bytes = withoutMapping(addressBytes(text));
  return isUnicast(bytes) ? { text: formatAddress(bytes), bytes } : undefined;
}

/** Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`. */
export function parseNetwork(text: string): ParsedNetwork {
  const slash = text.indexOf("/");
  const host = slash === -1 ? text : text.slice(0, slash);
  const prefixText = slash === -1 ? undefined : text.slice(slash + 1);
  if (isIP(host) === 0) return { wrong: "is neither an IP address nor a CIDR" };
  if (host.includes("%")) return { wrong: "has a zone, which means nothing to others; leave it out" };
  const bytes = addressBytes(host);
  if (isMapped(bytes)) return { wrong: "is IPv4 in IPv6 form; write it as four numbers" };
  const bits = bytes.length * 8;
  if (prefixText !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefixText))
    return { wrong: "is no CIDR: behind the slash stands the number of bits, as in 192.0.2.0/24" };
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  if (prefix > bits) return { wrong: `is no CIDR: such an address has ${bits} bits` };
  if (prefix === 0) return { wrong: "is every address there is; then any would count as registered" };
  const first = masked(bytes, prefix);
  if (!isEqual(first, bytes)) {
    const network = `${formatAddress(first)}/${prefix}`;
    return {
      wrong: `is no CIDR: the address goes beyond its ${prefix} bits; write ${network} for the network, or ${formatAddress(bytes)} for the one address`,
    };
  }
  if (!isUnicast(bytes)) return { wrong: "is not an address that connections come from" };
  return {
    network: {
      text: prefix === bits ? formatAddress(bytes) : `${formatAddress(bytes)}/${prefix}`,
      bytes,
      prefix,
    },
  };
}

/** Is the address in one of the networks? */
export function isIn(networks: readonly Network[], { bytes }: Address): boolean {
  return networks.some(
    (network) =>
      network.bytes.length === bytes.length && isEqual(masked(bytes, network.prefix), network.bytes),
  );
}

/** Has any of the networks addresses of the same version of IP? Where none has, nothing can be said of it. */
export function speaksOf(networks: readonly Network[], { bytes }: Address): boolean {
  return networks.some((network) => network.bytes.length === bytes.length);
}

/** Not `0.0.0.0/8`, `::`, multicast, or what lies beyond it (RFC 6890). */
function isUnicast(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  if (bytes.length === 4) return first > 0 && first < 224;
  return first !== 255 && bytes.some((byte) => byte !== 0);
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && isEqual(bytes.subarray(0, 12), mappedPrefix);
}

function withoutMapping(bytes: Uint8Array): Uint8Array {
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

function masked(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8));
    return byte & (0xff << (8 - kept));
  });
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, index) => byte === other[index]);
}

function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  ).join(":");
  // WHATWG URL, "IPv6 serializer": the shortest form, as RFC 5952 has it.
  return isIPv6(groups) ? new URL(`http://[${groups}]`).hostname.slice(1, -1) : groups;
}
