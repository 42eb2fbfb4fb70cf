import { Secret } from "../secret.ts";
import { isTokenText } from "../token/token.ts";
import { PrestoCallError, type WholeAnswer } from "../upstream/request-once.ts";
import { readTime } from "./answer-times.ts";
import type { Account, IssueEnd, IssueRequest, IssuedToken, ResetEnd } from "./issuer.ts";
import { type JsonObject, parseObject, toObject } from "./json-answer.ts";
import { readRefusal } from "./refusal.ts";

/** Where the two auth calls go. */
export const authPaths = {
  issue: "/api/institutions/v1/auth/token/issue",
  reset: "/api/institutions/v1/auth/password/reset",
} as const;

/** Longest token that is believed to be one: a header field can't be much longer on its way. */
export const longestToken = 16 * 1024;

/** What asks for a token. Holds the password: it goes to Presto, and nowhere else. */
export function issueBody({ account, name, expiresAt }: IssueRequest): Buffer {
  return toBody({
    email: account.email.reveal(),
    password: account.password.reveal(),
    token_name: name,
    token_expiration_date: dayOf(expiresAt),
  });
}

/** What asks for another password. */
export function resetBody({ email, password }: Account, newPassword: Secret): Buffer {
  return toBody({
    email: email.reveal(),
    current_password: password.reveal(),
    new_password: newPassword.reveal(),
  });
}

/**
 * What an answer to an issue call says. Whatever is missing beside the token is made up for;
 * without a token that can be used nothing is known, since the old one may be dead by now.
 * @param now milliseconds since 1970, when the answer came
 */
export function readIssueAnswer(answer: WholeAnswer, asked: IssueRequest, now: number): IssueEnd {
  if (!isSuccess(answer)) {
    return readRefusal(answer, "the e-mail or the password", now) ?? unexpectedStatus(answer);
  }
  // By what it is and not by what it is called: nothing but Presto puts a token there, and it would be lost.
  const body = parseObject(answer.body);
  if (body === undefined) return notJson(answer);
  const data = toObject(body.get("data"));
  const token = data?.get("token");
  if (data === undefined || token === undefined || token === null || token === "") {
    return unclear("no-token", `Presto answered ${answer.status} without a token; it may have made one`);
  }
  if (typeof token !== "string" || token.length > longestToken || !isTokenText(token)) {
    return unclear(
      "unusable-token",
      `Presto answered ${answer.status} with a token that is no text, is too long, or can't stand in a header field`,
    );
  }
  return { kind: "issued", issued: toIssued(new Secret(token), data, asked, now) };
}

/** What an answer to a reset says. */
export function readResetAnswer(answer: WholeAnswer, now: number): ResetEnd {
  if (!isSuccess(answer)) {
    return readRefusal(answer, "the e-mail or the current password", now) ?? unexpectedStatus(answer);
  }
  const body = parseObject(answer.body);
  if (body === undefined) return notJson(answer);
  if (typeof body.get("message") === "string" || toObject(body.get("data")) !== undefined) {
    return { kind: "reset" };
  }
  return unclear("not-json", `Presto answered ${answer.status}, but not as it answers to a reset`);
}

function toIssued(token: Secret, data: JsonObject, asked: IssueRequest, now: number): IssuedToken {
  const expiresAt = readTime(data.get("expiration_date"));
  const issuedAt = readTime(data.get("created_at"));
  // A token that has just been made can't be past its end: such a date says nothing.
  const ends = expiresAt !== undefined && expiresAt.getTime() > now ? expiresAt : startOfDay(asked.expiresAt);
  // Nor can it have been made after it: its life would have no length.
  const begins = issuedAt !== undefined && issuedAt < ends ? issuedAt : new Date(now);
  return { token, name: readName(data.get("token_name")) ?? asked.name, issuedAt: begins, expiresAt: ends };
}

/** People read it on terminals, so it holds nothing that moves a cursor. */
function readName(value: unknown): string | undefined {
  return typeof value === "string" && /^[^\p{C}]{1,255}$/u.test(value) ? value : undefined;
}

function isSuccess({ status }: WholeAnswer): boolean {
  return status >= 200 && status < 300;
}

type Unclear = Extract<IssueEnd, { kind: "unclear" }>;

function unclear(code: PrestoCallError["code"], message: string): Unclear {
  return { kind: "unclear", cause: new PrestoCallError(code, message) };
}

function notJson({ status, body }: WholeAnswer): Unclear {
  const what = body.length === 0 ? "an empty body" : "something that is not a JSON object";
  return unclear("not-json", `Presto answered ${status} with ${what}; it may have acted`);
}

function unexpectedStatus({ status }: WholeAnswer): Unclear {
  const reason =
    status === 401 || status === 422 || status === 429
      ? `Presto, or a gateway before it, answered ${status}, but not in Presto's own shape`
      : `Presto, or a gateway before it, answered ${status}`;
  return unclear("unexpected-status", `${reason}; it may have acted`);
}

function toBody(members: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(JSON.stringify(members), "utf8");
}

/** `YYYY-MM-DD`, in UTC. */
function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** What Presto makes of the day that it is told. */
function startOfDay(time: Date): Date {
  return new Date(`${dayOf(time)}T00:00:00.000Z`);
}
