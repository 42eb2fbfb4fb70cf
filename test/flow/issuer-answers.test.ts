import { inspect } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { describeError } from "../../src/observe/describe-error.ts";
import type { IssueEnd, Issuer } from "../../src/presto/auth.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";
import { Secret } from "../../src/secret.ts";
import { marksIn } from "../support/marks.ts";
import { freeControl, openIssuer, requestFor } from "../support/own-calls.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";

const account = { email: "marked-Zk3Q9@bank.example", password: "Marked-Pq7Xw2-passw0rd!" };
const token = "1111|Marked7Token9Lm4Vb2";
const nextPassword = "Marked-Next5Rt8Yh-1!";
const marks = [
  { name: "e-mail", value: account.email },
  { name: "password", value: account.password },
  { name: "new password", value: nextPassword },
  { name: "token", value: token },
];
const good = JSON.stringify({ data: { token } });
const echo = JSON.stringify({
  message: `${account.email} ${account.password} ${nextPassword} ${token}`,
  errors: { [account.email]: [account.password], [token]: [nextPassword] },
});

let presto: RawPresto;
let issuer: Issuer;

beforeAll(async () => {
  presto = await startRawPresto({ authority: await createAuthority() });
  issuer = openIssuer({ port: presto.port, caPem: presto.authority.certPem });
});
afterAll(() => presto.close());

/** One issue call that these bytes answer; `cut`: and then the connection ends so. */
function answeredBy(bytes: string | Buffer, cut?: "end" | "reset"): Promise<IssueEnd> {
  presto.answer(({ socket }) => {
    socket.write(bytes, () => {
      if (cut === "end") socket.end();
      if (cut === "reset") presto.reset(socket);
    });
  });
  return issuer.issueToken(requestFor(account), freeControl());
}

/** An answer without a length, which the end of its connection ends. */
const unframed = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${body}`;
const chunked = (...chunks: string[]): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join("")}`;

interface Row {
  readonly what: string;
  readonly bytes: string | Buffer;
  readonly cut?: "end" | "reset";
  readonly kind: IssueEnd["kind"];
  readonly code?: string;
}

const rows: readonly Row[] = [
  { what: "a plain one", bytes: httpAnswer(200, good), kind: "issued" },
  { what: "one without a type", bytes: httpAnswer(200, good, []), kind: "issued" },
  { what: "one in chunks", bytes: chunked(good.slice(0, 9), good.slice(9), ""), kind: "issued" },
  {
    what: "one after early hints",
    bytes: `HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n${httpAnswer(200, good)}`,
    kind: "issued",
  },
  {
    what: "a refusal after hints of another type",
    bytes: `HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\n\r\n${httpAnswer(401, echo)}`,
    kind: "refused",
  },
  { what: "one that its connection's end ends", bytes: unframed(good), cut: "end", kind: "issued" },
  { what: "one that is as large as may be", bytes: httpAnswer(200, good.padEnd(64 * 1024)), kind: "issued" },
  {
    what: "one that is larger",
    bytes: httpAnswer(200, good.padEnd(64 * 1024 + 1)),
    kind: "unclear",
    code: "too-large",
  },
  { what: "one without end", bytes: unframed(good.padEnd(200_000)), kind: "unclear", code: "too-large" },
  {
    what: "a half one",
    bytes: httpAnswer(200, good).slice(0, -4),
    cut: "end",
    kind: "unclear",
    code: "broken",
  },
  {
    what: "a whole one of which more was said to come",
    bytes: httpAnswer(200, `${good} `).slice(0, -1),
    cut: "reset",
    kind: "unclear",
    code: "broken",
  },
  {
    what: "one in chunks without the last",
    bytes: chunked(good),
    cut: "end",
    kind: "unclear",
    code: "broken",
  },
  {
    what: "one without a length that is reset",
    bytes: unframed(good),
    cut: "reset",
    kind: "unclear",
    code: "broken",
  },
  {
    what: "half of one without a length",
    bytes: unframed(good.slice(0, -1)),
    cut: "end",
    kind: "unclear",
    code: "not-json",
  },
  {
    what: "a head that is too large",
    bytes: httpAnswer(200, good, [`X-Mark: ${token.repeat(3_000)}`]),
    kind: "unclear",
    code: "broken",
  },
  { what: "bytes that are no HTTP", bytes: `${token} ${good}\r\n\r\n`, kind: "unclear", code: "broken" },
  {
    what: "a token with a line end",
    bytes: httpAnswer(200, JSON.stringify({ data: { token: `${token}\n` } })),
    kind: "unclear",
    code: "unusable-token",
  },
  {
    what: "a token elsewhere",
    bytes: httpAnswer(200, JSON.stringify({ token })),
    kind: "unclear",
    code: "no-token",
  },
  {
    what: "a page that holds it",
    bytes: httpAnswer(200, `<html>${token}</html>`, ["Content-Type: text/html"]),
    kind: "unclear",
    code: "not-json",
  },
  {
    what: "a 500 that repeats everything",
    bytes: httpAnswer(500, echo),
    kind: "unclear",
    code: "unexpected-status",
  },
  { what: "a 401 that repeats everything", bytes: httpAnswer(401, echo), kind: "refused" },
  { what: "a 422 that repeats everything", bytes: httpAnswer(422, echo), kind: "refused" },
  {
    what: "a 429 that repeats everything",
    bytes: httpAnswer(429, echo, [`Retry-After: ${token}`, "Content-Type: application/json"]),
    kind: "refused",
  },
  { what: "no answer, but a close", bytes: "", cut: "end", kind: "unclear", code: "broken" },
  { what: "no answer, but a reset", bytes: "", cut: "reset", kind: "unclear", code: "broken" },
];

describe("an issue call that is answered by", () => {
  it.each(rows)("$what ends $kind, is sent once, and shows no secret", async ({ bytes, cut, kind, code }) => {
    const before = presto.requests.length;
    const end = await answeredBy(bytes, cut);
    expect(end.kind).toBe(kind);
    if (code !== undefined) expect(end).toMatchObject({ cause: { code } });
    expect(presto.requests.length - before).toBe(1);
    await expect.poll(() => presto.open()).toBe(0);
    const cause = "cause" in end ? describeError(end.cause) : undefined;
    const shown = inspect([end, cause], { depth: null, showHidden: true, getters: true });
    expect(marksIn(shown + JSON.stringify([end, cause]), marks)).toEqual([]);
    if (code !== undefined) expect(cause?.message).toMatch(/Presto|request/);
  });

  it("a reset's answer that repeats everything shows no secret either", async () => {
    for (const status of [200, 401, 422, 500]) {
      presto.answer(({ socket }) => socket.write(httpAnswer(status, echo)));
      const { account: marked } = requestFor(account);
      const end = await issuer.resetPassword(marked, new Secret(nextPassword), freeControl());
      const shown = inspect(end, { depth: null, showHidden: true, getters: true });
      expect(marksIn(shown, marks)).toEqual([]);
    }
  });
});
