import type { Account, IssuedToken } from "./account.ts";
import {
  amountJson,
  InvalidFieldsError,
  invalidReply,
  jsonReply,
  messageReply,
  parseBody,
  type Reply,
  type RequestBody,
  timeText,
} from "./http.ts";
import type { Customer, Transaction, Wallet } from "./wallet.ts";

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

/** What the endpoints act on. */
export interface EndpointDeps {
  readonly account: Account;
  readonly wallet: Wallet;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Whether a password reset kills the live token: the docs leave it open. */
  readonly resetRevokesToken: () => boolean;
}

interface Endpoint {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  /** Without a token. The docs say so of the issue only; a reset proves itself by the password just as well. */
  readonly open?: boolean;
  /** Answers; throws an InvalidFieldsError for what `body` should not hold. `inPath`: what stood in the path's group. */
  readonly act: (body: RequestBody, deps: EndpointDeps, inPath: string) => Reply;
}

const endpoints: readonly Endpoint[] = [
  { method: "POST", path: pathOf("auth/token/issue"), open: true, act: issueToken },
  { method: "POST", path: pathOf("auth/password/reset"), open: true, act: resetPassword },
  { method: "POST", path: pathOf("wallet/init"), act: initTransaction },
  { method: "POST", path: pathOf("wallet/confirm"), act: confirmTransaction },
  { method: "GET", path: pathOf("wallet/transaction/([^/]+)"), act: showTransaction },
];

function pathOf(path: string): RegExp {
  return new RegExp(`^/api/institutions/v1/${path}$`);
}

/**
 * Executes a call and answers it: the token first (`401`), then path and method, then the
 * input. Nothing else in the sandbox changes the account or moves money.
 */
export function act(call: Call, deps: EndpointDeps): Reply {
  const endpoint = endpoints.find(({ path }) => path.test(call.path));
  if (endpoint?.open !== true) {
    // Which of two would count is a matter between parsers; a caller that sends two is at fault.
    if (call.authorization.length > 1) return messageReply(400, "More than one Authorization header.");
    const token = /^Bearer (.+)$/.exec(call.authorization[0] ?? "")?.[1];
    if (token === undefined || !deps.account.admits(token)) return messageReply(401, "Unauthenticated.");
  }
  if (endpoint === undefined) return messageReply(404, "Not Found");
  if (call.method !== endpoint.method) {
    const message = `The ${call.method} method is not supported here. Supported: ${endpoint.method}.`;
    return messageReply(405, message, { allow: endpoint.method });
  }
  try {
    const inPath = endpoint.path.exec(call.path)?.[1] ?? "";
    return endpoint.act(parseBody(call.contentType, call.body), deps, inPath);
  } catch (error) {
    if (error instanceof InvalidFieldsError) return invalidReply(error.errors);
    throw error;
  }
}

/** Kills every earlier token, unless it is refused. */
function issueToken(body: RequestBody, { account, now }: EndpointDeps): Reply {
  const email = readEmail(body);
  const password = body.text("password");
  const name = body.text("token_name");
  if (name.length > 255)
    body.refuse("token_name", "The token name field must not be greater than 255 characters.");
  const expiresAt = readExpiry(body, now());
  body.check();
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
export function readExpiry(body: RequestBody, now: number): number {
  const text = body.text("token_expiration_date");
  const expiresAt = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // Date.parse refuses most days that do not exist, and lets some roll over into the next month.
  if (Number.isNaN(expiresAt) || new Date(expiresAt).toISOString().slice(0, 10) !== text) {
    body.refuse("token_expiration_date", "The token expiration date field must match the format Y-m-d.");
    return Number.NaN;
  }
  if (expiresAt <= now) {
    body.refuse("token_expiration_date", "The token expiration date field must be a date after today.");
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

function resetPassword(body: RequestBody, { account, now, resetRevokesToken }: EndpointDeps): Reply {
  const email = readEmail(body);
  const current = body.text("current_password");
  const password = body.text("new_password");
  for (const [rule, what] of passwordRules) {
    if (!rule.test(password)) body.refuse("new_password", `The new password field ${what}.`);
  }
  body.check();
  if (!account.accepts(email, current)) return messageReply(401, "Invalid email or current password");
  account.setPassword(password);
  if (resetRevokesToken()) account.revoke();
  return jsonReply(200, { message: "Password reset successfully", data: { updated_at: timeText(now()) } });
}

function readEmail(body: RequestBody): string {
  const email = body.text("email");
  if (!/^[^@\s]+@[^@\s]+$/.test(email))
    body.refuse("email", "The email field must be a valid email address.");
  return email;
}

/** Nothing moves yet. */
function initTransaction(body: RequestBody, { wallet }: EndpointDeps): Reply {
  const customer = readCustomer(body.object("customer"));
  const thousandths = readAmount(body);
  const currency = body.text("currency");
  if (currency !== "LYD") body.refuse("currency", "The selected currency is invalid.");
  body.check();
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

/** After its `200` the money has moved. */
function confirmTransaction(body: RequestBody, { wallet }: EndpointDeps): Reply {
  const reference = body.text("transaction_reference");
  body.check();
  const transaction = wallet.confirm(reference);
  if (transaction === undefined) return unknownTransaction();
  if (transaction.status !== "completed") {
    body.refuse("transaction_reference", "The transaction has failed and can no longer be confirmed.");
    body.check();
  }
  return jsonReply(200, {
    data: {
      transaction_reference: transaction.reference,
      ...moved(transaction),
      customer: transaction.customer,
    },
  });
}

/** What became of it, at any time after init. */
function showTransaction(_body: RequestBody, { wallet }: EndpointDeps, reference: string): Reply {
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

function readCustomer(body: RequestBody): Customer {
  const given = body.text("identifier_type");
  const identifier = body.text("identifier");
  const type = isIdentifierType(given) ? given : undefined;
  if (type === undefined) body.refuse("identifier_type", "The selected customer.identifier type is invalid.");
  else {
    const [rule, what] = identifierRules[type];
    if (!rule.test(identifier)) body.refuse("identifier", `The customer.identifier field ${what}.`);
  }
  return { identifier_type: type ?? "uid", identifier, name: "Test Customer" };
}

/** Positive, at most three decimals, and a JSON number: an amount in quotes means that somebody re-wrote the body. */
function readAmount(body: RequestBody): number {
  const amount = body.value("amount");
  if (typeof amount !== "number") {
    body.refuse("amount", "The amount field must be a number.");
    return 0;
  }
  const thousandths = Math.round(amount * 1000);
  if (amount <= 0) body.refuse("amount", "The amount field must be greater than 0.");
  else if (thousandths > Number.MAX_SAFE_INTEGER) body.refuse("amount", "The amount field is too large.");
  // The division is exact to the nearest double, which is what the text of an amount was read as.
  else if (thousandths / 1000 !== amount)
    body.refuse("amount", "The amount field must have 0-3 decimal places.");
  return thousandths;
}
