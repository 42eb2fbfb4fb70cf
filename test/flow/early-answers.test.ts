import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { type EarlyPresto, startEarlyPresto } from "../support/early-presto.ts";
import { exchange, type WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { postCall, walletPaths } from "../support/wallet-call.ts";

// RFC 9110 section 10.1.1 and RFC 9112 section 9.5: a server may answer before it has read a request.

let presto: EarlyPresto;
let sidecar: RunningSidecar;

const start = (env: Record<string, string | undefined> = {}): Promise<RunningSidecar> =>
  startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    // What is open by one test is not asked about during the next.
    env: { PRESTO_MAX_BODY: "16MiB", PRESTO_SETTLE_OUTCOMES: "1ms", ...env },
  });

beforeAll(async () => {
  presto = await startEarlyPresto();
  sidecar = await start();
});
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

/** More than the kernel takes of what the other side does not read. */
const large = "x".repeat(8_000_000);
const middling = "x".repeat(900_000);
const small = "x".repeat(20_000);
let confirms = 0;
const refusal = httpAnswer(413, '{"message":"too large"}');

/** A confirm of a transaction of its own, with so long a note. */
function confirm(note: string, by = sidecar): Promise<WireAnswer> {
  confirms += 1;
  const body = JSON.stringify({ transaction_reference: `T${confirms}`, note });
  return exchange(by, postCall(walletPaths.confirm, body));
}

describe("an answer that comes before the request was read, and then a hard close,", () => {
  it.each([
    ["much of it is left to write", large, "destroy"],
    ["much of it is left to write", large, "reset"],
    ["it was written", small, "destroy"],
    ["much of it is left to write, and the server leaves Nagle on", large, "destroy", true],
    ["some of it is left to write, and the server leaves Nagle on", middling, "destroy", true],
    ["some of it is left to write, and the server leaves Nagle on", middling, "reset", true],
    ["it was written, and the server leaves Nagle on", small, "destroy", true],
  ] as const)("is the answer where %s (%#)", async (_what, body, end, nagle?: boolean) => {
    const bytes = httpAnswer(413, '{"message":"too large"}', ["Connection: close"]);
    presto.answer([{ bytes, end, nagle: nagle === true }]);
    for (let round = 0; round < 18; round += 1) {
      const before = presto.begun();
      const answer = await confirm(body);
      expect([round, answer.status, answer.headers["presto-outcome"]]).toEqual([round, 413, "answered"]);
      expect(presto.begun() - before).toBe(1);
    }
  });

  it("starts the wait for another token where it is a 401", async () => {
    const folder = mkdtempSync(join(tmpdir(), "presto-sidecar-early-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "token");
    writeFileSync(file, "token-1", { mode: 0o600 });
    const waiting = await start({ PRESTO_TOKEN: undefined, PRESTO_TOKEN_FILE: file });
    onTestFinished(() => waiting.close());
    presto.answer([
      {
        bytes: httpAnswer(401, '{"message":"Unauthenticated."}', ["Content-Type: application/json"]),
        end: "destroy",
      },
      { bytes: httpAnswer(200, '{"message":"Done."}'), after: large.length, end: "keep" },
      { bytes: httpAnswer(404, "{}"), end: "keep" },
    ]);
    const before = presto.begun();
    const answer = confirm(large, waiting);
    await expect.poll(() => presto.begun() - before).toBe(1);
    writeFileSync(file, "token-2", { mode: 0o600 });
    expect(await answer).toMatchObject({ status: 200, body: '{"message":"Done."}' });
    expect(presto.begun() - before).toBe(2);
  });

  it.each([
    ["nothing", ""],
    ["half of one", refusal.slice(0, -4)],
    ["an interim one", "HTTP/1.1 100 Continue\r\n\r\n"],
  ])("is unknown, and the call is sent once, where it was %s", async (_what, bytes) => {
    presto.answer([
      { bytes, end: "destroy" },
      // The question what became of it.
      { bytes: httpAnswer(200, '{"data":{"status":"pending"}}', ["Connection: close"]), end: "keep" },
    ]);
    const before = presto.begun();
    const answer = await confirm(large);
    expect(answer.status).toBe(502);
    expect(answer.headers["presto-outcome"]).toBe("unknown");
    expect(JSON.parse(answer.body)).toMatchObject({ transaction: { status: "pending" } });
    expect(presto.begun() - before).toBe(1);
  });
});

it("a connection whose request was not wholly written when its answer was whole takes no other", async () => {
  presto.answer([{ bytes: httpAnswer(422, '{"message":"no"}'), end: "keep" }]);
  const before = presto.begun();
  expect((await confirm(large)).status).toBe(422);
  expect((await confirm(small)).status).toBe(422);
  expect(presto.begun() - before).toBe(2);
});
