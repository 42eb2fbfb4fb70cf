import type { Clock } from "../clock.ts";
import { readRetryAfter } from "../lib/duration.ts";
import { isTokenText, Secret } from "../secret.ts";
import { fieldOf } from "../upstream/call.ts";
import {
  OwnRequestError,
  type OpenPool,
  type OwnResponse,
  type RequestControl,
  type RequestEnd,
  requestOnce,
} from "../upstream/request-once.ts";
import { isErrorShape, type Members, parseMembers, readJson, readTime, toMembers } from "./answers.ts";

/** Who asks. Both are secrets: the e-mail is in no output either. */
export interface Account {
  readonly email: Secret;
  readonly password: Secret;
}

/** What a token is asked for with. */
export interface IssueRequest {
  readonly account: Account;
  readonly name: string;
  /** Presto is told the day; the token ends at 00:00 UTC *of* it. */
  readonly expiresAt: Date;
}

/** A token that Presto has made. From its making on every other token of the account is dead. */
export interface IssuedToken {
  readonly token: Secret;
  readonly name: string;
  /** Presto's `created_at`; where it gave none that can be read, the time of the answer. */
  readonly issuedAt: Date;
  /** Presto's `expiration_date`; where it gave none that can be read, what was asked for. */
  readonly expiresAt: Date;
}

/** Presto said clearly that it did nothing: a status in its own JSON shape. */
export interface RefusedByPresto {
  readonly kind: "refused";
  readonly status: 401 | 422 | 429;
  /** One sentence for people, without a word of Presto's that could hold a secret. */
  readonly detail: string;
  /** From Retry-After, milliseconds. */
  readonly retryAfterMs?: number;
}

/** How an issue call ended. Only `refused` and `not-sent` prove that it was not executed. */
export type IssueEnd =
  | { readonly kind: "issued"; readonly issued: IssuedToken }
  | RefusedByPresto
  /** No byte was written. */
  | { readonly kind: "not-sent"; readonly cause: unknown }
  /** It may have been executed, be under way, or be executed later: lost, late, 5xx, HTML, a 200 without a usable token. */
  | { readonly kind: "unclear"; readonly cause: unknown };

/** How a password reset ended; `unclear` as above. */
export type ResetEnd =
  | { readonly kind: "reset" }
  | RefusedByPresto
  | { readonly kind: "not-sent"; readonly cause: unknown }
  | { readonly kind: "unclear"; readonly cause: unknown };

/**
 * The two auth endpoints: on a connection of their own, without a bearer token, sent once
 * and never again. Neither rejects. Neither has a time limit of its own but `signal`: a late
 * answer still counts, and whoever called decides how long to listen for it.
 */
export interface Issuer {
  issueToken(request: IssueRequest, control: RequestControl): Promise<IssueEnd>;
  resetPassword(account: Account, newPassword: Secret, control: RequestControl): Promise<ResetEnd>;
}

export interface IssuerOptions {
  /**
   * A bare pool for one call: the connector of the proxy (same source address, same TLS), and
   * nothing that adds a token or sends again. It is destroyed after the call. Its limits on
   * time don't matter, since each call turns them off; its connector's limit does.
   */
  readonly openPool: OpenPool;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** Told each answer that came, and when its call was begun (monotonic). */
  readonly onAnswer?: (response: OwnResponse, begunAt: number) => void;
}

/**
 * The auth endpoints over HTTP. A call that no byte of was written ends `not-sent`; after
 * that only an answer that says so clearly is anything but `unclear`. Nothing is sent twice.
 */
export function createIssuer({ openPool, clock, onAnswer }: IssuerOptions): Issuer {
  async function post(path: string, body: Buffer, control: RequestControl): Promise<RequestEnd> {
    const headers = [
      ["content-type", "application/json"],
      ["accept", "application/json"],
      // Without it a gateway may compress an answer, and a token would be lost in it (RFC 9110 section 12.5.3).
      ["accept-encoding", "identity"],
    ].flat();
    const begunAt = clock.monotonic();
    const end = await requestOnce(openPool, { method: "POST", path, headers, body }, control);
    if (end.kind === "answered") onAnswer?.(end.response, begunAt);
    return end;
  }

  return {
    async issueToken(request, control) {
      const end = await post(authPaths.issue, issueBody(request), control);
      return end.kind === "answered" ? readIssueAnswer(end.response, request, clock.now()) : end;
    },
    async resetPassword(account, newPassword, control) {
      const end = await post(authPaths.reset, resetBody(account, newPassword), control);
      return end.kind === "answered" ? readResetAnswer(end.response, clock.now()) : end;
    },
  };
}

/** Where the two auth calls go. */
const authPaths = {
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
export function readIssueAnswer(response: OwnResponse, asked: IssueRequest, now: number): IssueEnd {
  if (!isSuccess(response)) {
    return readRefusal(response, "the e-mail or the password", now) ?? unexpectedStatus(response);
  }
  // By what it is and not by what it is called: nothing but Presto puts a token there, and it would be lost.
  const body = parseMembers(response.body);
  if (body === undefined) return notJson(response);
  const data = toMembers(body.get("data"));
  const token = data?.get("token");
  if (data === undefined || token === undefined || token === null || token === "") {
    return unclear("no-token", `Presto answered ${response.status} without a token; it may have made one`);
  }
  if (typeof token !== "string" || token.length > longestToken || !isTokenText(token)) {
    return unclear(
      "unusable-token",
      `Presto answered ${response.status} with a token that is no text, is too long, or can't stand in a header field`,
    );
  }
  return { kind: "issued", issued: toIssued(new Secret(token), data, asked, now) };
}

/** What an answer to a reset says. */
export function readResetAnswer(response: OwnResponse, now: number): ResetEnd {
  if (!isSuccess(response)) {
    return readRefusal(response, "the e-mail or the current password", now) ?? unexpectedStatus(response);
  }
  const body = parseMembers(response.body);
  if (body === undefined) return notJson(response);
  if (typeof body.get("message") === "string" || toMembers(body.get("data")) !== undefined) {
    return { kind: "reset" };
  }
  return unclear("not-json", `Presto answered ${response.status}, but not as it answers to a reset`);
}

function toIssued(token: Secret, data: Members, asked: IssueRequest, now: number): IssuedToken {
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

function isSuccess({ status }: OwnResponse): boolean {
  return status >= 200 && status < 300;
}

type Unclear = Extract<IssueEnd, { kind: "unclear" }>;

function unclear(code: OwnRequestError["code"], message: string): Unclear {
  return { kind: "unclear", cause: new OwnRequestError(code, message) };
}

function notJson(response: OwnResponse): Unclear {
  const { status, body } = response;
  const isCoded = fieldOf(response, "content-encoding") !== undefined;
  const what = isCoded
    ? "a content coding that can't be undone, though none was asked for"
    : body.length === 0
      ? "an empty body"
      : "something that is not a JSON object";
  return unclear("not-json", `Presto answered ${status} with ${what}; it may have acted`);
}

function unexpectedStatus({ status }: OwnResponse): Unclear {
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

/** No refusal puts the next call off for longer, milliseconds. */
const longestRetryAfterMs = 60 * 60_000;

/**
 * A refusal by which Presto did nothing: 401, 422 or 429 in its own shape. Undefined for
 * every other answer: the same status on a gateway's page does not say what Presto did.
 * @param whatFor401 what a 401 to this call is about: `the e-mail or the password`
 * @param now milliseconds since 1970
 */
function readRefusal(response: OwnResponse, whatFor401: string, now: number): RefusedByPresto | undefined {
  const { status } = response;
  if (status !== 401 && status !== 422 && status !== 429) return undefined;
  const body = readJson(response);
  if (!isErrorShape(body)) return undefined;
  const retryAfterMs = readRetryAfter(fieldOf(response, "retry-after"), now, longestRetryAfterMs);
  return {
    kind: "refused",
    status,
    detail: detailOf(status, whatFor401, body),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function detailOf(status: RefusedByPresto["status"], whatFor401: string, body: Members): string {
  switch (status) {
    case 401:
      return `Presto refused ${whatFor401} (401).`;
    case 422: {
      const fields = fieldNames(body);
      const named = fields.length === 0 ? "it named no field" : `it named: ${fields.join(", ")}`;
      return `Presto refused what was asked for (422); ${named}.`;
    }
    case 429:
      return "Presto has had too many calls (429).";
  }
}

const mostFields = 8;

/** The fields that a 422 complains of. Their names only: its sentences may repeat what was sent. */
function fieldNames(body: Members): readonly string[] {
  const names = [...(toMembers(body.get("errors"))?.keys() ?? [])];
  return names.filter((name) => /^[a-z_]{1,40}$/.test(name)).slice(0, mostFields);
}
