import { isObject } from "../../src/lib/json.ts";
import type { SocketReply } from "../support/socket-call.ts";

/** What a caller was told of a confirm: the rows of the table in docs/money.md. */
export interface Told {
  readonly kind:
    | "completed"
    | "refused"
    | "unclear"
    | "not-sent"
    | "duplicate"
    /** No connection could be had. */
    | "nobody"
    /** The connection broke, or the caller left. */
    | "nothing"
    /** A reply that no row of the table is about. */
    | "off-the-table";
  /** 0 where no reply came. */
  readonly status: number;
  /** What Presto says of the transaction, as far as that was told. */
  readonly word: string | undefined;
  readonly retryable: boolean;
  /** `Retry-After`, in milliseconds. */
  readonly waitMs: number | undefined;
  /** The transaction that a success names. */
  readonly names: unknown;
}

export function toldBy(reply: SocketReply): Told {
  const none = { status: 0, word: undefined, retryable: false, waitMs: undefined, names: undefined };
  if (reply.kind !== "reply") return { ...none, kind: reply.kind };
  const { status, headers, body } = reply;
  const { transaction } = body;
  const retryAfter = headers["retry-after"];
  const told = {
    status,
    word: isObject(transaction) ? textOf(transaction["status"]) : textOf(headers["presto-transaction"]),
    retryable: body["retryable"] === true,
    waitMs: typeof retryAfter === "string" ? Number(retryAfter) * 1_000 : undefined,
    names: isObject(body["data"]) ? body["data"]["transaction_reference"] : undefined,
  };
  return { ...told, kind: kindOf(headers["presto-outcome"], told, body["code"]) };
}

function kindOf(outcome: unknown, { status, word }: Omit<Told, "kind">, code: unknown): Told["kind"] {
  switch (outcome) {
    case "unknown":
      return "unclear";
    case "not-sent":
      return code === "duplicate-confirm" ? "duplicate" : "not-sent";
    case "answered":
      if (word !== undefined) return "unclear";
      if (status >= 200 && status < 300) return "completed";
      return status >= 400 && status < 500 ? "refused" : "off-the-table";
    default:
      return "off-the-table";
  }
}

/** What Presto says of a transaction in an answer to the question about it; `not-known` where it says nothing of it. */
export function wordIn(reply: SocketReply, reference: string): string {
  if (reply.kind !== "reply" || reply.status !== 200 || !isObject(reply.body["data"])) return "not-known";
  const { transaction_reference: names, status } = reply.body["data"];
  return names === reference ? (textOf(status) ?? "not-known") : "not-known";
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
