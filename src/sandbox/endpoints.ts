import { type AuthContext, issueToken, resetPassword } from "./auth-endpoints.ts";
import { type Form, readForm } from "./form.ts";
import { messageReply, type Reply } from "./reply.ts";
import { confirmTransaction, initTransaction, showTransaction } from "./wallet-endpoints.ts";
import type { Wallet } from "./wallet.ts";

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
