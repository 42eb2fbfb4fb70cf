/** The one server that calls go to. */
export interface Origin {
  /** `https://host` or `https://host:port`, without a path. */
  readonly url: string;
  /** Host name or address, without brackets. */
  readonly host: string;
  readonly port: number;
}
