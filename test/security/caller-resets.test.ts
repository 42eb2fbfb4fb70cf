import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startServing } from "../support/source-program.ts";
import { initCall, nextConfirmCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";

// A caller that resets its connection, at whatever moment, ends nothing but its own calls: the
// process of its own that is tested here would die of an error that nobody listens for, and with
// it the answers of everybody's payments.

let presto: RawPresto;
let program: Awaited<ReturnType<typeof startServing>>;
let folder: string;
let held: WireRequest[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "presto-resets-"));
  presto = await startRawPresto();
  writeFileSync(join(folder, "ca.pem"), presto.authority.certPem);
  program = await startServing({
    env: {
      PRESTO_URL: presto.url,
      PRESTO_CA_FILE: join(folder, "ca.pem"),
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: "127.0.0.1:0",
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
    },
  });
  // Payments are held, the query of a large answer streams, everything else is answered.
  presto.answer((request) => {
    if (request.requestLine.includes(walletPaths.confirm)) held.push(request);
    else if (request.requestLine.includes("large")) {
      request.socket.write(`HTTP/1.1 200 X\r\nContent-Length: 9000000\r\n\r\n${"x".repeat(4_000_000)}`);
    } else request.socket.write(httpAnswer(200));
  });
});

afterAll(async () => {
  program.child.kill("SIGKILL");
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const connect = "CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
const garbage = "\0 no HTTP\r\n\r\n";
const halfBody = postCall(walletPaths.init, "1234567890").slice(0, -5);

/** What is sent, how many payments Presto then holds, and what is sent behind them before the reset. */
const moments: readonly (readonly [what: string, bytes: string, payments: number, more?: string])[] = [
  ["at once", "", 0],
  ["in a head", "POST / HT", 0],
  ["in a body", halfBody, 0],
  ["in a body that it was told to send", halfBody.replace("Host", "Expect: 100-continue\r\nHost"), 0],
  ["in a body that is refused", halfBody.replace(walletPaths.init, "/nothing"), 0],
  ["after a reply", initCall(), 0],
  ["in a large reply", queryCall("large"), 0],
  ["after a tunnel that is refused", connect, 0],
  ["after bytes that are no HTTP", garbage, 0],
  ["while a payment is under way", nextConfirmCall(), 1],
  ["while two are", nextConfirmCall() + nextConfirmCall(), 2],
  ["behind a payment and half a body", nextConfirmCall(), 1, halfBody],
  ["behind a payment and a refusal", nextConfirmCall(), 1, initCall("Origin: null")],
  ["behind a payment and bytes that are no HTTP", nextConfirmCall(), 1, garbage],
  ["behind a payment and a tunnel", nextConfirmCall(), 1, connect],
  ["behind two payments, a tunnel and bytes", nextConfirmCall() + nextConfirmCall(), 2, connect + garbage],
];

describe("a caller that resets its connection", () => {
  for (const [what, bytes, payments, more = ""] of moments) {
    it(`${what} takes nobody with it`, async () => {
      held = [];
      const caller = await openRawCaller(program, { stubborn: true });
      caller.send(bytes);
      await expect.poll(() => held.length).toBe(payments);
      caller.send(more);
      // By the time that another's call is answered, all that was sent has been read.
      await exchange(program, initCall());
      caller.socket.resetAndDestroy();
      expect((await exchange(program, initCall())).status).toBe(200);
      for (const request of held) request.socket.write(httpAnswer(200));
      expect((await exchange(program, initCall())).status).toBe(200);
      expect(program.child.exitCode).toBeNull();
    });
  }

  it("takes nobody with it on the other listeners", async () => {
    for (const port of [program.adminPort, program.controlPort]) {
      for (const bytes of [
        "",
        "GET /sta",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        connect,
        garbage,
      ]) {
        const caller = await openRawCaller({ port });
        caller.send(bytes);
        caller.socket.resetAndDestroy();
      }
    }
    expect((await exchange(program, initCall())).status).toBe(200);
    expect(
      (await exchange({ port: program.adminPort }, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")).status,
    ).toBe(200);
  });

  it("is told of in the log, as calls are whose fate the caller does not know", async () => {
    const lost = program
      .output()
      .split("\n")
      .filter((line) => line.includes('"caller_gone":true') && line.includes('"audit":true'));
    expect(lost.length).toBeGreaterThan(0);
  });
});
