import type { Form } from "./form.ts";
import { amountJson, invalidReply, jsonReply, messageReply, type Reply, timeText } from "./reply.ts";
import type { Customer, Transaction, Wallet } from "./wallet.ts";

/** `POST …/wallet/init`: nothing moves yet. */
export function initTransaction(form: Form, wallet: Wallet): Reply {
  const customer = readCustomer(form.object("customer"));
  const thousandths = readAmount(form);
  const currency = form.text("currency");
  if (currency !== "LYD") form.refuse("currency", "The selected currency is invalid.");
  const errors = form.errors();
  if (errors !== undefined || customer === undefined) return invalidReply(errors ?? {});
  const transaction = wallet.init({ customer, thousandths, currency });
  return jsonReply(200, {
    data: {
      transaction_reference: transaction.reference,
      amount: amountJson(transaction.thousandths),
      currency: transaction.currency,
      customer: transaction.customer,
    },
  });
}

/** `POST …/wallet/confirm`: after its `200` the money has moved. */
export function confirmTransaction(form: Form, wallet: Wallet): Reply {
  const reference = form.text("transaction_reference");
  const errors = form.errors();
  if (errors !== undefined) return invalidReply(errors);
  const transaction = wallet.confirm(reference);
  if (transaction === undefined) return unknownTransaction();
  if (transaction.status !== "completed") {
    return invalidReply({
      transaction_reference: ["The transaction has failed and can no longer be confirmed."],
    });
  }
  return jsonReply(200, {
    data: {
      transaction_reference: transaction.reference,
      ...moved(transaction),
      customer: transaction.customer,
    },
  });
}

/** `GET …/wallet/transaction/{reference}`: what became of it, at any time after init. */
export function showTransaction(reference: string, wallet: Wallet): Reply {
  const transaction = wallet.find(reference);
  if (transaction === undefined) return unknownTransaction();
  const { status, failureReason } = transaction;
  return jsonReply(200, {
    data: {
      transaction_reference: transaction.reference,
      status,
      ...(status === "completed" ? moved(transaction) : {}),
      ...(status === "failed" ? { failure_reason: failureReason } : {}),
      customer: transaction.customer,
    },
  });
}

function moved(transaction: Transaction): object {
  return {
    amount: amountJson(transaction.thousandths),
    currency: transaction.currency,
    timestamp: timeText(transaction.completedAt ?? transaction.createdAt),
  };
}

function unknownTransaction(): Reply {
  return messageReply(404, "Transaction not found");
}

const identifierRules = {
  phone: [/^[1-9]\d{6,14}$/, "must be a phone number in E.164 form without the plus sign"],
  email: [/^[^@\s]+@[^@\s]+$/, "must be a valid email address"],
  uid: [/^\S{1,128}$/, "must be a uid of 1 to 128 characters without spaces"],
} as const;

function isIdentifierType(text: string): text is keyof typeof identifierRules {
  return Object.hasOwn(identifierRules, text);
}

/** Refuses what isn't a customer; undefined then. */
function readCustomer(form: Form): Customer | undefined {
  const type = form.text("identifier_type");
  const identifier = form.text("identifier");
  if (!isIdentifierType(type)) {
    form.refuse("identifier_type", "The selected customer.identifier type is invalid.");
    return undefined;
  }
  const [rule, what] = identifierRules[type];
  if (!rule.test(identifier)) form.refuse("identifier", `The customer.identifier field ${what}.`);
  return { identifier_type: type, identifier, name: "Test Customer" };
}

/** Positive, at most three decimals, and a JSON number: an amount in quotes means that somebody re-wrote the body. */
function readAmount(form: Form): number {
  const amount = form.value("amount");
  if (typeof amount !== "number") {
    form.refuse("amount", "The amount field must be a number.");
    return 0;
  }
  const thousandths = Math.round(amount * 1000);
  if (amount <= 0) form.refuse("amount", "The amount field must be greater than 0.");
  else if (thousandths > Number.MAX_SAFE_INTEGER) form.refuse("amount", "The amount field is too large.");
  // The division is exact to the nearest double, which is what the text of an amount was read as.
  else if (thousandths / 1000 !== amount)
    form.refuse("amount", "The amount field must have 0-3 decimal places.");
  return thousandths;
}
