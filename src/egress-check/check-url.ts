import type { Origin } from "../lib/host.ts";

/** A server that tells whoever asks which address the question came from. */
export interface CheckUrl {
  readonly origin: Origin;
  /** Path and query, as they are sent. They may hold a key, so they are shown nowhere. */
  readonly target: string;
  /** Host, and the port unless it is 443: what it is called in messages, metrics and `/status`. */
  readonly name: string;
}
