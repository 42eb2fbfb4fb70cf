/** A place in the network that a connection is opened to. */
export interface Endpoint {
  /** Host name or address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The one server that calls go to. */
export interface Origin extends Endpoint {
  /** `https://host` or `https://host:port`, without a path. */
  readonly url: string;
}

/** `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2). */
export function authorityOf({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
