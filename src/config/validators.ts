import { makeExactValidator } from "envalid";

import type { LogLevel } from "../observe/log.ts";
import {
  parseCheckUrls,
  parseEgressAddress,
  parseEgressIps,
  parseEgressProxy,
  parseHosts,
  parseListenAddress,
  parseListenAddresses,
  parseListenAddressOrOff,
  parseOperations,
  parseOrigin,
} from "./parse-addresses.ts";
import {
  parseCredentialAddress,
  parseEmail,
  parseKeys,
  parsePassword,
  parsePath,
  parsePins,
  parseStoreAddress,
  parseToken,
} from "./parse-secrets.ts";
import {
  parseCount,
  parseCountOrZero,
  parseDays,
  parseDayWindow,
  parseDuration,
  parseDurationOrZero,
  parseFraction,
  parseReference,
  parseRenew,
  parseRole,
  parseSize,
  parseTokenName,
  parseYesNo,
  quote,
  InvalidValue,
} from "./parse.ts";

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
export const egressAddress = makeExactValidator(parseEgressAddress);
export const egressProxy = makeExactValidator(parseEgressProxy);
export const egressIps = makeExactValidator(parseEgressIps);
export const checkUrls = makeExactValidator(parseCheckUrls);
export const operations = makeExactValidator(parseOperations);
export const duration = makeExactValidator(parseDuration);
export const durationOrZero = makeExactValidator(parseDurationOrZero);
export const size = makeExactValidator(parseSize);
export const count = makeExactValidator(parseCount);
export const countOrZero = makeExactValidator(parseCountOrZero);
export const yesNo = makeExactValidator(parseYesNo);
export const email = makeExactValidator(parseEmail);
export const password = makeExactValidator(parsePassword);
export const credentialAddress = makeExactValidator(parseCredentialAddress);
export const role = makeExactValidator(parseRole);
export const renew = makeExactValidator(parseRenew);
export const tokenName = makeExactValidator(parseTokenName);
export const days = makeExactValidator(parseDays);
export const fraction = makeExactValidator(parseFraction);
export const dayWindow = makeExactValidator(parseDayWindow);
export const reference = makeExactValidator(parseReference);

const levels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

export const logLevel = makeExactValidator((text): LogLevel => {
  const level = levels.find((known) => known === text);
  if (level === undefined) throw new InvalidValue(`${quote(text)} is not a log level (${levels.join(", ")})`);
  return level;
});
