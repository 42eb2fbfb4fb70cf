import type { Account, TokenState } from "./account.ts";
import type { FaultState, Faults } from "./faults.ts";
import { amountText, timeText } from "./http.ts";
import type { Journal, JournalCounts } from "./journal.ts";
import type { Customer, Transaction, Wallet } from "./wallet.ts";

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

/** What is looked at. */
export interface StateDeps {
  readonly account: Account;
  readonly wallet: Wallet;
  readonly journal: Journal;
  readonly faults: Faults;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** Takes a picture of the sandbox. */
export function takeState({ account, wallet, journal, faults, now }: StateDeps): SandboxState {
  const transactions = wallet.list();
  return {
    time: timeText(now()),
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
    tokens: account.tokens(),
    faults: faults.list(),
    ...journal.counts(),
  };
}
