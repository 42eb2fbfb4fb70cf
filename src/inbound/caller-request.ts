import { IncomingMessage } from "../lib/node-http.ts";
import type { InboundCall } from "./inbound-call.ts";

/**
 * A request as Node makes it, with room for the call that it became. A WeakMap beside it would
 * do the same, but each entry outlived its request by two collections, and garbage collection
 * took a tenth of all time.
 */
export class CallerRequest extends IncomingMessage {
  call: InboundCall | undefined;
}
