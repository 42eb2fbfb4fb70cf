import type { Account, IssuedToken } from "./account.ts";
import {
  amountJson,
  type Form,
  invalidReply,
  jsonReply,
  messageReply,
  readForm,
  type Reply,
  timeText,
} from "./http.ts";
import type { Customer, Transaction, Wallet } from "./wallet.ts";

const prefix = "/api/institutions/v1";
const transactionPath = new RegExp(`^${prefix}/wallet/transaction/([^/]+)$`);

/** A request that was read whole. */
export interface Call {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Every `Authorization` line. */
  readonly authorization: readonly string[];
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

interface Endpoint {
  readonly method: string;
  /** Without a token. The docs say so of the issue only; a reset proves itself by the password just as well. */
  readonly open: boolean;
  readonly act: () => Reply;
}

/**
 * Executes a call and answers it: the token first (`401`), then path and method, then the
 * input. Nothing else in the sandbox changes the account or moves money.
 */
export function act(call: Call, context: AuthContext & { readonly wallet: Wallet }): Reply {
  const endpoint = findEndpoint(call, context);
  if (endpoint?.open !== true) {
    // Which of two would count is a matter between parsers; a caller that sends two is at fault.
    if (call.authorization.length > 1) return messageReply(400, "More than one Authorization header.");
    const token = /^Bearer (.+)$/.exec(call.authorization[0] ?? "")?.[1];
    if (token === undefined || !context.account.admits(token)) return messageReply(401, "Unauthenticated.");
  }
  if (endpoint === undefined) return messageReply(404, "Not Found");
  if (call.method !== endpoint.method) {
    const message = `The ${call.method} method is not supported here. Supported: ${endpoint.method}.`;
    return messageReply(405, message, { allow: endpoint.method });
  }
  return endpoint.act();
}

function findEndpoint(call: Call, context: AuthContext & { readonly wallet: Wallet }): Endpoint | undefined {
  const form = (): Form => readForm(call.contentType, call.body);
  switch (call.path) {
    case `${prefix}/auth/token/issue`:
      return { method: "POST", open: true, act: () => issueToken(form(), context) };
    case `${prefix}/auth/password/reset`:
      return { method: "POST", open: true, act: () => resetPassword(form(), context) };
    case `${prefix}/wallet/init`:
      return { method: "POST", open: false, act: () => initTransaction(form(), context.wallet) };
    case `${prefix}/wallet/confirm`:
      return { method: "POST", open: false, act: () => confirmTransaction(form(), context.wallet) };
  }
  const reference = transactionPath.exec(call.path)?.[1];
  if (reference === undefined) return undefined;
  return { method: "GET", open: false, act: () => showTransaction(reference, context.wallet) };
}

/** What the two auth endpoints act on. */
export interface AuthContext {
  readonly account: Account;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Whether a password reset kills the live token: the docs leave it open. */
  readonly resetRevokesToken: () => boolean;
}

/** `POST …/auth/token/issue`: kills every earlier token, unless it is refused. */
export function issueToken(form: Form, { account, now }: AuthContext): Reply {
  const email = readEmail(form);
  const password = form.text("password");
  const name = form.text("token_name");
  if (name.length > 255)
    form.refuse("token_name", "The token name field must not be greater than 255 characters.");
  const expiresAt = readExpiry(form, now());
  const errors = form.errors();
  if (errors !== undefined) return invalidReply(errors);
  if (!account.accepts(email, password)) return messageReply(401, "Invalid email or password");
  return jsonReply(200, { data: tokenJson(account.issue({ name, expiresAt })) });
}

/** A token as the API shows it. */
export function tokenJson(issued: IssuedToken): object {
  return {
    token: issued.token,
    token_name: issued.name,
    expiration_date: timeText(issued.expiresAt),
    created_at: timeText(issued.createdAt),
  };
}

/**
 * Reads `token_expiration_date`: `YYYY-MM-DD`, after today (UTC). Gives the moment at which
 * the token dies, 00:00 UTC *of* that day; NaN where the field was refused.
 */
export function readExpiry(form: Form, now: number): number {
  const text = form.text("token_expiration_date");
  const expiresAt = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // Date.parse refuses most days that do not exist, and lets some roll over into the next month.
  if (Number.isNaN(expiresAt) || new Date(expiresAt).toISOString().slice(0, 10) !== text) {
    form.refuse("token_expiration_date", "The token expiration date field must match the format Y-m-d.");
    return Number.NaN;
  }
  if (expiresAt <= now) {
    form.refuse("token_expiration_date", "The token expiration date field must be a date after today.");
  }
  return expiresAt;
}

const passwordRules: readonly [RegExp, string][] = [
  [/^.{8,}$/su, "must be at least 8 characters"],
  [/\p{Lu}/u, "must contain at least one uppercase letter"],
  [/\p{Ll}/u, "must contain at least one lowercase letter"],
  [/\p{N}/u, "must contain at least one number"],
  [/[^\p{L}\p{N}\s]/u, "must contain at least one special character"],
];

/** `POST …/auth/password/reset`. */
export function resetPassword(form: Form, { account, now, resetRevokesToken }: AuthContext): Reply {
  const email = readEmail(form);
  const current = form.text("current_password");
  const password = form.text("new_password");
  for (const [rule, what] of passwordRules) {
    if (!rule.test(password)) form.refuse("new_password", `The new password field ${what}.`);
  }
  const errors = form.errors();
  if (errors !== undefined) return invalidReply(errors);
  if (!account.accepts(email, current)) return messageReply(401, "Invalid email or current password");
  account.setPassword(password);
  if (resetRevokesToken()) account.revoke();
  return jsonReply(200, { message: "Password reset successfully", data: { updated_at: timeText(now()) } });
}

function readEmail(form: Form): string {
  const email = form.text("email");
  if (!/^[^@\s]+@[^@\s]+$/.test(email))
    form.refuse("email", "The email field must be a valid email address.");
  return email;
}

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
