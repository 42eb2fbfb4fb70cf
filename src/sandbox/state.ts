import type { Account, TokenState } from "./account.ts";
import { type AdmittanceSettings, isAddressOrRange, type RateLimit } from "./admission.ts";
import type { FaultBook, FaultState } from "./faults.ts";
import { amountText, type FieldErrors, isRecord, timeText } from "./http.ts";
import type { Journal, JournalCounts } from "./journal.ts";
import type { Customer, Transaction, Wallet } from "./wallet.ts";

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

/** A transaction, as `GET /state` shows it. */
export interface TransactionState {
  readonly transaction_reference: string;
  readonly status: Transaction["status"];
  /** Text with three decimals: exact, whatever reads it. */
  readonly amount: string;
  readonly currency: string;
  readonly customer: Customer;
  readonly created_at: string;
  /** How many times a confirm of it was executed: how many times the money moved. */
  readonly confirms: number;
}

/** Everything that a test may want to assert. No token and no password is in it. */
export interface SandboxState extends JournalCounts {
  /** The sandbox's own time. */
  readonly time: string;
  readonly transactions: readonly TransactionState[];
  /** Executed confirms by reference, those that were executed at least once. */
  readonly confirms: Readonly<Record<string, number>>;
  readonly tokens: readonly TokenState[];
  readonly faults: readonly FaultState[];
}

/** Takes a picture of the sandbox. */
export function takeState(parts: {
  readonly account: Account;
  readonly wallet: Wallet;
  readonly journal: Journal;
  readonly faults: FaultBook;
  readonly now: () => number;
}): SandboxState {
  const transactions = parts.wallet.list();
  return {
    time: timeText(parts.now()),
    transactions: transactions.map((transaction) => ({
      transaction_reference: transaction.reference,
      status: transaction.status,
      amount: amountText(transaction.thousandths),
      currency: transaction.currency,
      customer: transaction.customer,
      created_at: timeText(transaction.createdAt),
      confirms: transaction.confirms,
    })),
    confirms: Object.fromEntries(
      transactions
        .filter(({ confirms }) => confirms > 0)
        .map(({ reference, confirms }) => [reference, confirms]),
    ),
    tokens: parts.account.tokens(),
    faults: parts.faults.list(),
    ...parts.journal.counts(),
  };
}
