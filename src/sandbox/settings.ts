import { type AdmittanceSettings, isAddressOrRange, type RateLimit } from "./admittance.ts";
import { isRecord } from "./form.ts";
import type { FieldErrors } from "./reply.ts";

/** What can be changed while the sandbox runs. */
export interface SandboxSettings extends AdmittanceSettings {
  /** Whether a password reset kills the live token: the docs leave it open. Default false. */
  readonly resetRevokesToken: boolean;
}

/** Settings, or what is wrong with what was given, by field. */
export type ParsedSettings =
  | { readonly settings: Partial<SandboxSettings> }
  | { readonly errors: FieldErrors };

const fields = ["allowedAddresses", "unregistered", "rate", "resetRevokesToken"];

/** Reads those settings that are to change from JSON, and says everything that is wrong with them at once. */
export function parseSettings(input: unknown): ParsedSettings {
  if (!isRecord(input))
    return { errors: { settings: [`Settings are an object with any of ${fields.join(", ")}.`] } };
  const errors: Record<string, string[]> = {};
  for (const field of Object.keys(input)) {
    if (!fields.includes(field))
      errors[field] = [`There is no setting ${field}; there are ${fields.join(", ")}.`];
  }
  const { allowedAddresses, unregistered, rate, resetRevokesToken } = input;
  let settings: Partial<SandboxSettings> = {};

  if (allowedAddresses === null) settings = { ...settings, allowedAddresses: undefined };
  else if (isAddressList(allowedAddresses)) settings = { ...settings, allowedAddresses };
  else if (allowedAddresses !== undefined) {
    errors["allowedAddresses"] = [
      "allowedAddresses must be a list of IP addresses and CIDRs such as 127.0.0.0/8, or null for all.",
    ];
  }

  if (unregistered === "json" || unregistered === "html" || unregistered === "reset")
    settings = { ...settings, unregistered };
  else if (unregistered !== undefined) errors["unregistered"] = ["unregistered must be json, html or reset."];

  const limit = readRate(rate);
  if (rate === null) settings = { ...settings, rate: undefined };
  else if (limit !== undefined) settings = { ...settings, rate: limit };
  else if (rate !== undefined) {
    errors["rate"] = [
      'rate must be like {"requests": 10, "perMs": 1000, "retryAfter": true}, or null for none.',
    ];
  }

  if (typeof resetRevokesToken === "boolean") settings = { ...settings, resetRevokesToken };
  else if (resetRevokesToken !== undefined)
    errors["resetRevokesToken"] = ["resetRevokesToken must be true or false."];

  return Object.keys(errors).length === 0 ? { settings } : { errors };
}

function isAddressList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && isAddressOrRange(item));
}

function readRate(rate: unknown): RateLimit | undefined {
  if (!isRecord(rate)) return undefined;
  const { requests, perMs, retryAfter = true, ...others } = rate;
  if (Object.keys(others).length > 0 || typeof retryAfter !== "boolean") return undefined;
  if (!isCount(requests) || !isCount(perMs)) return undefined;
  return { requests, perMs, retryAfter };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}
