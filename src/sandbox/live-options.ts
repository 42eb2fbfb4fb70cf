import { type IpFilterOptions, isAddressOrRange, type RateLimit } from "./ip-filter.ts";
import {
  createBody,
  flag,
  InvalidFieldsError,
  isObject,
  oneOf,
  optional,
  optionalOrNull,
  type Shape,
} from "./request-body.ts";

/** What can be changed while the sandbox runs: the control endpoint calls it the settings. */
export interface LiveOptions extends IpFilterOptions {
  /** Whether a password reset kills the live token: the docs leave it open. Default false. */
  readonly resetRevokesToken: boolean;
}

const names = ["allowedAddresses", "unregistered", "rate", "resetRevokesToken"];

/** Reads those that are to change from JSON. Throws an InvalidFieldsError with everything that is wrong with them. */
export function parseLiveOptions(input: unknown): Partial<LiveOptions> {
  if (!isObject(input))
    throw new InvalidFieldsError({ settings: [`Settings are an object with any of ${names.join(", ")}.`] });
  const body = createBody(input);
  for (const field of Object.keys(input)) {
    if (!names.includes(field))
      body.refuse(field, `There is no setting ${field}; there are ${names.join(", ")}.`);
  }
  const options: Partial<LiveOptions> = {
    ...optionalOrNull(body, "allowedAddresses", addressList),
    ...optional(body, "unregistered", unregistered),
    ...optionalOrNull(body, "rate", rate),
    ...optional(body, "resetRevokesToken", flag),
  };
  body.check();
  return options;
}

const unregistered = oneOf(["json", "html", "reset"] as const, "json, html or reset");

const addressList: Shape<readonly string[]> = {
  what: "a list of IP addresses and CIDRs such as 127.0.0.0/8, or null for all",
  read: (value) => (isAddressList(value) ? value : undefined),
  unless: [],
};

function isAddressList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && isAddressOrRange(item));
}

const rate: Shape<RateLimit> = {
  what: 'like {"requests": 10, "perMs": 1000, "retryAfter": true}, or null for none',
  read(value) {
    if (!isObject(value)) return undefined;
    const { requests, perMs, retryAfter = true, ...others } = value;
    if (Object.keys(others).length > 0 || typeof retryAfter !== "boolean") return undefined;
    return isCount(requests) && isCount(perMs) ? { requests, perMs, retryAfter } : undefined;
  },
  unless: { requests: 1, perMs: 1, retryAfter: true },
};

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}
