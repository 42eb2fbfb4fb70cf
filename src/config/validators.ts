import { makeExactValidator } from "envalid";

import type { LogLevel } from "../observe/log.ts";
import { parseListenAddress, parseListenAddresses, parseListenAddressOrOff } from "./listen-value.ts";
import { parseOperations } from "./operations-value.ts";
import { parseHosts, parseOrigin } from "./origin-value.ts";
import {
  parseCount,
  parseCountOrZero,
  parseDuration,
  parseDurationOrZero,
  parseSize,
  parseYesNo,
} from "./quantities.ts";
import { quote, RefusedValue } from "./refused-value.ts";
import { parseKeys, parsePath, parsePins, parseStoreAddress, parseToken } from "./store-value.ts";

// The parsers themselves know nothing of envalid: a health check reads two addresses, and must start fast.

export const origin = makeExactValidator(parseOrigin);
export const hosts = makeExactValidator(parseHosts);
export const listenAddress = makeExactValidator(parseListenAddress);
export const listenAddresses = makeExactValidator(parseListenAddresses);
export const listenAddressOrOff = makeExactValidator(parseListenAddressOrOff);
export const storeAddress = makeExactValidator(parseStoreAddress);
export const path = makeExactValidator(parsePath);
export const token = makeExactValidator(parseToken);
export const storeKeys = makeExactValidator(parseKeys);
export const pins = makeExactValidator(parsePins);
export const operations = makeExactValidator(parseOperations);
export const duration = makeExactValidator(parseDuration);
export const durationOrZero = makeExactValidator(parseDurationOrZero);
export const size = makeExactValidator(parseSize);
export const count = makeExactValidator(parseCount);
export const countOrZero = makeExactValidator(parseCountOrZero);
export const yesNo = makeExactValidator(parseYesNo);

/** Roles of later versions are named, so that nobody looks for a spelling mistake. */
export const role = makeExactValidator((text): "proxy" => {
  if (text === "proxy") return text;
  if (text === "rotator" || text === "all")
    throw new RefusedValue(`this version does not have the role ${text} yet; it has proxy`);
  throw new RefusedValue(`${quote(text)} is not a role; this version has proxy`);
});

const levels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

export const logLevel = makeExactValidator((text): LogLevel => {
  const level = levels.find((known) => known === text);
  if (level === undefined) throw new RefusedValue(`${quote(text)} is not a log level (${levels.join(", ")})`);
  return level;
});
