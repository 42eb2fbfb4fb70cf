/** Who is to receive the money. */
export interface Customer {
  readonly identifier_type: "phone" | "email" | "uid";
  readonly identifier: string;
  readonly name: string;
}

/** A top-up, from init on. */
export interface Transaction {
  readonly reference: string;
  readonly customer: Customer;
  /** Thousandths of the currency: whole numbers, so that nothing is lost in adding. */
  readonly thousandths: number;
  readonly currency: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  status: "pending" | "completed" | "failed";
  /** When the money moved (last). */
  completedAt: number | undefined;
  failureReason: string | undefined;
  /** How many times a confirm was executed: how many times the money moved. */
  confirms: number;
}

/** The transactions. */
export interface Wallet {
  init(order: {
    readonly customer: Customer;
    readonly thousandths: number;
    readonly currency: string;
  }): Transaction;
  /**
   * Moves the money. A second confirm of a completed transaction moves it again: the docs
   * promise no protection against that, so a stand-in that gave one would hide the mistake.
   * A failed transaction stays failed; undefined if there is none of that reference.
   */
  confirm(reference: string): Transaction | undefined;
  find(reference: string): Transaction | undefined;
  list(): readonly Transaction[];
  /** Forgets every transaction. */
  reset(): void;
}

/** Creates an empty wallet. `voidAfterMs`: how long a transaction may wait for its confirm. */
export function createWallet(options: { readonly now: () => number; readonly voidAfterMs: number }): Wallet {
  const { now, voidAfterMs } = options;
  const transactions = new Map<string, Transaction>();
  // Never TRX000000000, which clients ask for when they want a reference that does not exist.
  let last = 100_000_000;

  const settled = (transaction: Transaction | undefined): Transaction | undefined => {
    if (transaction?.status === "pending" && now() >= transaction.createdAt + voidAfterMs) {
      transaction.status = "failed";
      transaction.failureReason = "The transaction was not confirmed in time.";
    }
    return transaction;
  };

  return {
    init(order) {
      last += 1;
      const transaction: Transaction = {
        ...order,
        reference: `TRX${last}`,
        createdAt: now(),
        status: "pending",
        completedAt: undefined,
        failureReason: undefined,
        confirms: 0,
      };
      transactions.set(transaction.reference, transaction);
      return transaction;
    },
    confirm(reference) {
      const transaction = settled(transactions.get(reference));
      if (transaction === undefined || transaction.status === "failed") return transaction;
      transaction.status = "completed";
      transaction.completedAt = now();
      transaction.confirms += 1;
      return transaction;
    },
    find: (reference) => settled(transactions.get(reference)),
    list: () => {
      for (const transaction of transactions.values()) settled(transaction);
      return [...transactions.values()];
    },
    reset() {
      // References go on counting: one from before a reset must stay unknown after it.
      transactions.clear();
    },
  };
}
