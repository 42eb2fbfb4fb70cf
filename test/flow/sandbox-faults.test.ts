import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { Fault } from "../../src/sandbox/fault-kinds.ts";
import { createSandbox } from "../../src/sandbox/server.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { createJumpingClock } from "../support/jumping-clock.ts";
import { exchange } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { confirmCall, initCall, queryCall, walletPaths } from "../support/wallet-call.ts";

const clock = createJumpingClock();
let sandbox: Sandbox;
let sidecar: RunningSidecar;

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
  sidecar = await startSidecar({
    url: sandbox.url,
    caPem: sandbox.caPem,
    clock,
    env: {
      PRESTO_TOKEN: sandbox.token,
      // A tenth of it is kept back for the question what became of a confirm.
      PRESTO_TIMEOUT: "4s",
      PRESTO_CONNECT_TIMEOUT: "2500ms",
      // What is open by one test is not asked about during the next.
      PRESTO_SETTLE_OUTCOMES: "1ms",
    },
  });
});
afterEach(() => {
  sandbox.clearFaults();
  // By then a token that a fault had rejected may be tried again.
  clock.jump(5_000);
});
afterAll(async () => {
  await sidecar.close();
  await sandbox.close();
});

async function begun(): Promise<string> {
  const answer = await exchange(sidecar, initCall());
  expect(answer.status).toBe(200);
  return String(JSON.parse(answer.body).data.transaction_reference);
}

const moves = (reference: string): number => sandbox.state().confirms[reference] ?? 0;
const statusOf = async (reference: string): Promise<unknown> => {
  let status: unknown;
  // A token that was rejected is tried by one request at a time, be it the sidecar's own.
  await eventually(async () => {
    const answer = await exchange(sidecar, queryCall(reference));
    if (answer.status === 200) status = JSON.parse(answer.body).data.status;
    else clock.jump(5_000);
    return answer.status;
  }).toBe(200);
  return status;
};

/** Has nobody said what became of the money? */
const isUnclear = ({ headers }: WireAnswer): boolean =>
  headers["presto-outcome"] === "unknown" || headers["presto-transaction"] !== undefined;

/** What a caller does that believes the reply, and nothing else: it confirms again whatever is not known to be paid. */
async function followUp(answer: WireAnswer, reference: string): Promise<void> {
  if (answer.status === 200) return;
  clock.jump(5_000);
  const own = answer.headers["content-type"] === "application/problem+json";
  const retryable = own && JSON.parse(answer.body).retryable === true;
  if (!retryable && (await statusOf(reference)) !== "pending") return;
  const again = await exchange(sidecar, confirmCall(reference));
  // What may yet be carried out is kept back for as long as Presto says neither completed nor failed.
  expect(again.status).toBe(isUnclear(answer) ? 409 : 200);
}

interface Row {
  readonly fault: Fault;
  readonly status: number;
  readonly outcome: "answered" | "unknown" | "not-sent";
  /** How many times the money has moved when the reply is there. */
  readonly moved: 0 | 1;
  /** What the reply says of the transaction. */
  readonly told?: string;
}

const path = walletPaths.confirm;
const unknown = (fault: Fault, status: number, moved: 0 | 1): Row => ({
  fault,
  status,
  moved,
  outcome: "unknown",
  told: moved === 1 ? "completed" : "pending",
});
const answered = (fault: Fault, status: number, moved: 0 | 1): Row => ({
  fault,
  status,
  moved,
  outcome: "answered",
});
const notSent = (fault: Fault, status: number): Row => ({ fault, status, moved: 0, outcome: "not-sent" });

const rows: readonly Row[] = [
  unknown({ kind: "reset-before-reading", path }, 502, 0),
  unknown({ kind: "reset-before-acting", path }, 502, 0),
  unknown({ kind: "reset-after-acting", path }, 502, 1),
  unknown({ kind: "half-answer", path }, 502, 1),
  unknown({ kind: "garbage", path }, 502, 1),
  unknown({ kind: "slow-head", path, ms: 12_000 }, 504, 1),
  unknown({ kind: "slow-body", path, ms: 12_000 }, 504, 1),
  unknown({ kind: "hold", path, acts: true }, 504, 1),
  answered({ kind: "status", path, status: 500 }, 500, 0),
  answered({ kind: "status", path, status: 500, acts: true }, 500, 1),
  answered({ kind: "status", path, status: 503, retryAfter: 1 }, 503, 0),
  answered({ kind: "status", path, status: 429 }, 429, 0),
  answered({ kind: "status", path, status: 401 }, 401, 0),
  answered({ kind: "html", path }, 502, 0),
  answered({ kind: "html", path, acts: true }, 502, 1),
  answered({ kind: "html", path, status: 401 }, 401, 0),
  answered(
    { kind: "answer", path, status: 302, headers: { location: "https://elsewhere.example/" } },
    302,
    0,
  ),
  // A connection that could not be made is made again: nothing had been written.
  answered({ kind: "reset-at-connect", times: 1 }, 200, 1),
  answered({ kind: "reset-at-connect", times: 2 }, 200, 1),
  notSent({ kind: "reset-at-connect" }, 502),
  notSent({ kind: "stall-at-connect" }, 504),
  notSent({ kind: "wrong-certificate", certificate: "other-name" }, 502),
  notSent({ kind: "wrong-certificate", certificate: "expired" }, 502),
  notSent({ kind: "wrong-certificate", certificate: "other-authority" }, 502),
  notSent({ kind: "wrong-certificate", certificate: "self-signed" }, 502),
  notSent({ kind: "old-tls" }, 502),
];

describe("a top-up", () => {
  it("goes through: init, confirm, query, and the money has moved once", async () => {
    const reference = await begun();
    expect(await statusOf(reference)).toBe("pending");
    const answer = await exchange(sidecar, confirmCall(reference));
    expect(answer.status).toBe(200);
    // As Presto wrote it: a number with three decimals is not made anew.
    expect(answer.body).toContain('"amount":10.500');
    expect(await statusOf(reference)).toBe("completed");
    expect(moves(reference)).toBe(1);
  });

  it.each(rows.map((row) => ({ ...row, title: JSON.stringify(row.fault) })))(
    "under $title: the reply says what is so, and whoever believes it moves the money once at most",
    async ({ fault, status, outcome, moved, told }) => {
      const reference = await begun();
      const set = sandbox.setFault(fault);
      const answer = await exchange(sidecar, confirmCall(reference));
      expect(answer.status).toBe(status);
      expect(answer.headers["presto-outcome"]).toBe(outcome);
      expect(moves(reference)).toBe(moved);
      if (told !== undefined) {
        expect(JSON.parse(answer.body)).toMatchObject({
          retryable: false,
          transaction: { reference, status: told },
        });
      }
      const sent = sandbox.state().requests[`POST ${path}`] ?? 0;
      set.remove();
      await followUp(answer, reference);
      expect(moves(reference)).toBe(isUnclear(answer) ? moved : 1);
      expect((sandbox.state().requests[`POST ${path}`] ?? 0) - sent).toBeLessThanOrEqual(1);
    },
  );

  it("that Presto executes only after the reply said unknown moves the money once", async () => {
    const reference = await begun();
    const held = sandbox.setFault({ kind: "hold", path });
    const answer = await exchange(sidecar, confirmCall(reference));
    expect(JSON.parse(answer.body)).toMatchObject({
      outcome: "unknown",
      retryable: false,
      transaction: { status: "pending" },
    });
    held.remove();
    await eventually(() => moves(reference)).toBe(1);
    expect(await statusOf(reference)).toBe("completed");
  });

  it("by 20 callers at once, with faults at random places, moves no money twice", async () => {
    for (const kind of ["reset-after-acting", "reset-before-acting", "half-answer"] as const)
      sandbox.setFault({ kind, path, times: 4 });
    const references: string[] = [];
    while (references.length < 20) references.push(await begun());
    const answers = await Promise.all(
      references.map(
        async (reference) => [reference, await exchange(sidecar, confirmCall(reference))] as const,
      ),
    );
    sandbox.clearFaults();
    for (const [reference, answer] of answers) await followUp(answer, reference);
    expect(references.map(moves)).toEqual(
      answers.map(([, answer]) => (answer.body.includes('"pending"') ? 0 : 1)),
    );
  });
});
