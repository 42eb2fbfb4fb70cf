import { type Gateway, parseGateway } from "../connect/proxy-url.ts";
import { parseLocalAddress } from "../connect/tcp.ts";
import { quote, RefusedValue } from "./refused-value.ts";
import { withoutLineEnd } from "./store-value.ts";

// Read by the functions that the way out reads them by.

/**
 * An address of this machine to leave from. Whether it has it is found out at start.
 * @throws RefusedValue
 */
export function parseEgressAddress(text: string): string {
  const { address, wrong } = parseLocalAddress(text);
  if (address === undefined) throw new RefusedValue(`${quote(text)} ${wrong}`);
  return address;
}

/** @throws RefusedValue that quotes nothing: the value may hold a password */
export function parseEgressProxy(text: string): Gateway {
  const { gateway, wrong } = parseGateway(withoutLineEnd(text));
  if (gateway === undefined) throw new RefusedValue(wrong);
  return gateway;
}
