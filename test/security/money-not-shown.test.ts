import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { formatListenAddress } from "../../src/listen/address.ts";
import { runHere } from "../support/command-io.ts";
import { type Mark, marksIn } from "../support/marks.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto, type WireRequest } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { postCall, walletPaths } from "../support/wallet-call.ts";
import { makeCall } from "../support/whole-call.ts";

// What a call that moves money leaves behind (the record, the outcomes, /status, the metrics, the log) holds no token,
// no password, no e-mail and no fragment of a body. The reference stands in the record and the outcomes, in the log
// only in the line of a call whose end was unclear, and never in /status or the metrics.

const unique = (name: string): string => `${name}${randomBytes(12).toString("hex")}`;
const marks = {
  token: { name: "the token", value: `1111|${unique("Tok")}"<&'%\\/+=~` },
  password: { name: "a password", value: unique("Pass") },
  email: { name: "an e-mail address", value: `${unique("ops")}@${unique("bank")}.example` },
  fragment: { name: "a fragment of a body", value: unique("Body") },
  amount: { name: "an amount", value: "918273645.125" },
  query: { name: "a query", value: unique("Query") },
  field: { name: "a caller's field", value: unique("Field") },
  answer: { name: "an answer's body", value: unique("Answer") },
} as const;
const all: readonly Mark[] = Object.values(marks);

let presto: RawPresto;
let folder: string;
beforeAll(async () => {
  presto = await startRawPresto();
  folder = mkdtempSync(join(tmpdir(), "money-not-shown-"));
});
afterAll(async () => {
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const json = (data: object): string => JSON.stringify({ data: { ...data, said: marks.answer.value } });

/** How Presto answers a confirm of this reference, and what the sidecar then knows of it. */
const answers: Readonly<Record<string, (reference: string, request: WireRequest) => void>> = {
  "a success": (reference, { socket }) =>
    socket.write(httpAnswer(200, json({ transaction_reference: reference }))),
  "a success about another": (_reference, { socket }) =>
    socket.write(httpAnswer(200, json({ transaction_reference: marks.answer.value }))),
  "a success without a reference": (_reference, { socket }) => socket.write(httpAnswer(200, json({}))),
  "a refusal": (_reference, { socket }) =>
    socket.write(httpAnswer(422, JSON.stringify({ message: `${marks.answer.value} ${marks.email.value}` }))),
  "an error": (_reference, request) =>
    request.socket.write(
      httpAnswer(
        500,
        JSON.stringify({ message: `${request.header("authorization")} ${marks.answer.value}` }),
      ),
    ),
  "a page": (_reference, { socket }) =>
    socket.write(httpAnswer(502, `<p>${marks.answer.value}</p>`, ["Content-Type: text/html"])),
  "a reset": (_reference, { socket }) => presto.reset(socket),
  "half an answer": (_reference, { socket }) =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n${json({})}`),
};

let calls = 0;

interface Left {
  readonly side: RunningSidecar;
  /** The record's bytes. */
  readonly record: () => string;
  readonly outcomes: () => Promise<string>;
  /** What the admin listener says. */
  readonly pages: () => Promise<string>;
}

async function start(): Promise<Left> {
  const path = join(folder, `audit-${(calls += 1)}.jsonl`);
  const side = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: {
      PRESTO_TOKEN: marks.token.value,
      PRESTO_TIMEOUT: "1s",
      PRESTO_HOLD_MAX: "100ms",
      PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
      PRESTO_AUDIT: `file:${path}`,
    },
  });
  onTestFinished(() => side.close());
  const { control } = side.addresses;
  const env = { PRESTO_CONTROL_LISTEN: control === undefined ? "off" : formatListenAddress(control) };
  return {
    side,
    record: () => readFileSync(path, "utf8"),
    async outcomes() {
      const told = await Promise.all([
        runHere(["outcomes"], { env }),
        runHere(["outcomes", "--json"], { env }),
      ]);
      expect(told.map(({ code }) => code)).toEqual([0, 0]);
      return told.map(({ out, err }) => out + err).join("\n");
    },
    async pages() {
      const paths = ["/status", "/metrics", "/readyz?verbose", "/"];
      const bodies = await Promise.all(
        paths.map(async (each) => (await makeCall({ port: side.adminPort, method: "GET", path: each })).body),
      );
      return bodies.join("\n");
    },
  };
}

/** A confirm with all that an app could put into one. */
function confirm(reference: string): string {
  const body = `{"transaction_reference":"${reference}","note":"${marks.fragment.value}","amount":${marks.amount.value},"email":"${marks.email.value}","password":"${marks.password.value}"}`;
  return postCall(
    `${walletPaths.confirm}?q=${marks.query.value}`,
    body,
    `Authorization: Bearer ${marks.field.value}`,
    `Cookie: ${marks.field.value}`,
    `X-Own: ${marks.field.value}`,
  );
}

describe("what a call that moves money leaves behind", () => {
  it.each(Object.keys(answers))("holds no secret after %s", async (name) => {
    const left = await start();
    const reference = `T${randomBytes(9).toString("hex")}`;
    presto.answer((request) => {
      if (request.requestLine.startsWith("POST")) answers[name]?.(reference, request);
      else
        request.socket.write(httpAnswer(200, json({ transaction_reference: reference, status: "pending" })));
    });
    await exchange(left.side, confirm(reference));
    // A second one, which the guard may refuse, is told of as well.
    await exchange(left.side, confirm(reference));
    const [outcomes, pages] = [await left.outcomes(), await left.pages()];
    const log = left.side.log();
    const record = left.record();
    for (const [where, text] of Object.entries({ outcomes, pages, log, record }))
      expect([where, marksIn(text, all)]).toEqual([where, []]);
    expect(record).toContain(reference);
    expect(pages).not.toContain(reference);
    const naming = left.side.lines().filter((line) => JSON.stringify(line).includes(reference));
    const isClear = name === "a success" || name === "a refusal";
    expect(naming.map(({ msg, reference: named }) => [msg, named])).toEqual(
      isClear ? [] : [["call", reference]],
    );
    if (isClear) return;
    expect(outcomes).toContain(reference);
    expect(naming[0]).toMatchObject({ transaction: "pending", audit: true });
  });
});
